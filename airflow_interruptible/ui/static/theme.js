// SPDX-License-Identifier: Apache-2.0
// Makes a page look as the Airflow page around it does, before anything is painted, and whenever that page changes.
//
// Airflow's own switch puts "light" or "dark" on its <html> and into localStorage ("theme"). Inside its tabs we are of the
// same origin, so its colours are read from its <html> as they are computed there, [api] theme of the deployment included.
// On its own, a page follows localStorage and then the system. Not a module: a module would run after the first paint.

(() => {
  const MIRRORED = [
    ...["bg", "fg", "border", "brand"].flatMap((name) => [
      name,
      `${name}-subtle`,
      `${name}-muted`,
      `${name}-emphasized`,
    ]),
    ..."fg-success fg-info bg-error brand-solid brand-contrast brand-fg brand-focus-ring".split(" "),
    ...["success", "failed", "running", "up_for_retry", "orange", "violet", "cyan", "blue", "gray"].flatMap((name) =>
      ["solid", "contrast", "fg", "muted", "subtle"].map((part) => `${name}-${part}`),
    ),
  ].map((name) => `--chakra-colors-${name}`);

  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  function surrounding() {
    try {
      return parent === window ? null : parent.document.documentElement;
    } catch {
      return null; // embedded by somebody else
    }
  }

  function stored() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is forbidden
    }
  }

  function isDark(around) {
    const known = around?.classList.contains("dark") || around?.classList.contains("light");
    if (known) return around.classList.contains("dark");
    const theme = stored();
    return theme === "dark" || (theme !== "light" && system.matches);
  }

  function apply() {
    const around = surrounding();
    root.classList.toggle("dark", isDark(around));
    if (!around) return;
    const computed = parent.getComputedStyle(around);
    for (const name of MIRRORED) {
      const value = computed.getPropertyValue(name).trim();
      if (value) root.style.setProperty(name, value);
      else root.style.removeProperty(name);
    }
  }

  apply();
  system.addEventListener("change", apply);
  addEventListener("storage", (event) => (event.key === "theme" || event.key === null) && apply());
  const around = surrounding();
  if (around) new MutationObserver(apply).observe(around, { attributes: true, attributeFilter: ["class", "style"] });
})();
