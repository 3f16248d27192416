// SPDX-License-Identifier: Apache-2.0
// Leads to Airflow's log-in, and from there back to the page that was asked for.

import { follow, loginUrl } from "./links.js";

const link = document.getElementById("sign-in");
link.href = loginUrl();
link.addEventListener("click", follow);
if (globalThis.parent === globalThis) globalThis.location.replace(link.href); // in a tab, Airflow itself would ask
