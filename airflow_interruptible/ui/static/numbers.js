// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them: as many digits as tell something, and never a number where there is none.

export function number(value) {
  return value.toLocaleString("en");
}

export function hours(value) {
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : value < 1000 ? 1 : 0 });
}

/** "16.7" of a rate for a hundred of something; a dash where there was nothing that it could be a part of. */
export function perHundred(rate) {
  return rate === null ? "–" : (rate * 100).toLocaleString("en", { maximumSignificantDigits: 3 });
}

export function percent(share) {
  return share === null ? "–" : `${perHundred(share)} %`;
}

export function money(amount, currency) {
  try {
    return new Intl.NumberFormat("en", {
      style: "currency",
      currency,
      maximumFractionDigits: Math.abs(amount) < 100 ? 2 : 0,
    }).format(amount);
  } catch {
    return `${number(amount)} ${currency}`; // not an ISO 4217 code
  }
}
