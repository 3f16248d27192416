() => {
  const faults = [];
  const say = (node, text) => faults.push(`${node.outerHTML.slice(0, 120)}: ${text}`);
  const visible = (node) => node.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const all = (selector) => [...document.querySelectorAll(selector)].filter(visible);

  if (!document.documentElement.lang) faults.push("no language");
  if (!document.title) faults.push("no title");
  if (document.querySelectorAll("main").length !== 1) faults.push("not one main");
  if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");

  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  for (const id of ids.filter((each, index) => ids.indexOf(each) !== index)) faults.push(`the id ${id} is there twice`);
  for (const node of document.querySelectorAll("[aria-labelledby]")) {
    if (!document.getElementById(node.getAttribute("aria-labelledby"))) say(node, "is labelled by nothing");
  }
  for (const node of all("input, select")) if (!node.labels.length) say(node, "has no label");
  for (const node of all("button, a[href]")) {
    const name = node.getAttribute("aria-label") || node.textContent.trim() || node.querySelector("title")?.textContent;
    if (!name && node.tabIndex >= 0) say(node, "has no name");
  }
  for (const node of all("svg")) {
    if (node.getAttribute("aria-hidden") !== "true" && !(node.getAttribute("role") === "img" && node.getAttribute("aria-label")))
      say(node, "is neither a picture with a label nor hidden");
  }
  for (const table of document.querySelectorAll("table")) {
    for (const head of table.querySelectorAll("th")) if (!head.scope) say(head, "is the head of nothing");
    if (!table.caption && !table.getAttribute("aria-labelledby") && !table.closest("[aria-label]")) say(table, "has no name");
  }
  for (const list of document.querySelectorAll("ul")) {
    for (const child of list.children) if (child.tagName !== "LI") say(child, "is no item of its list");
  }
  let level = 1;
  for (const heading of document.querySelectorAll("h1, h2, h3")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) say(heading, "skips a level");
    level = own;
  }

  // contrast, WCAG 2.2 AA: the colours as the browser would paint them
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const rgba = (colour, over = null) => {
    context.clearRect(0, 0, 1, 1);
    if (over) {
      context.fillStyle = `rgb(${over.join(" ")})`;
      context.fillRect(0, 0, 1, 1);
    }
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (channels) => {
    const [r, g, b] = channels.map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    const layers = [];
    for (let each = node; each; each = each.parentElement) layers.unshift(getComputedStyle(each).backgroundColor);
    return layers.reduce((below, colour) => rgba(colour, below), [255, 255, 255]);
  };
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || seen.has(node) || !visible(node) || node.closest("svg, option, .visually-hidden, :disabled")) continue;
    seen.add(node);
    const style = getComputedStyle(node);
    const below = ground(node);
    const [light, dark] = [luminance(below), luminance(rgba(style.color, below))].sort((a, b) => b - a);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < (large ? 3 : 4.5)) say(node, `contrast ${ratio.toFixed(2)}`);
    if (seen.size > 400) break;
  }
  return [...new Set(faults)];
};
