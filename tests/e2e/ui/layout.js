() => {
  // What sticks out of the page or of its card, and what is broken over lines that must not be. One line a fault.
  const LONG = 24; // a longer name may be broken anywhere, where there is no better place
  const BOXES = ".card, .tile, .notice, .empty, .field, .records tr, .breakdown tr, th, td, button, .badge, .capacity, svg";
  const faults = [];
  const say = (node, text) => faults.push(`${node.cloneNode(false).outerHTML.slice(0, 90)} "${node.textContent.trim().slice(0, 40)}": ${text}`);
  const visible = (node) => node.checkVisibility({ visibilityProperty: true }) && !node.closest(".visually-hidden, .patterns, option, datalist, title");
  const scrolls = (node) => ["auto", "scroll", "hidden"].includes(getComputedStyle(node).overflowX);

  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) faults.push(`the page is ${root.scrollWidth} wide, its window ${root.clientWidth}`);

  const inside = (rect, box, node, what) => {
    if (rect.width === 0 || rect.height === 0) return;
    if (rect.left < box.left - 1 || rect.right > box.right + 1) say(node, `${what} reaches from ${Math.round(rect.left)} to ${Math.round(rect.right)}, its box from ${Math.round(box.left)} to ${Math.round(box.right)}`);
  };
  const boxOf = (node) => {
    for (let each = node.parentElement; each; each = each.parentElement) {
      if (scrolls(each) && each.tagName !== "svg") return null; // whoever wants to see the rest scrolls
      if (each.matches(BOXES)) return each;
    }
    return root;
  };

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (walker.nextNode()) {
    const text = walker.currentNode;
    const parent = text.parentElement;
    if (!text.data.trim() || parent.closest("script, style, noscript") || !visible(parent)) continue;
    range.selectNodeContents(text);
    for (let box = boxOf(parent); box; box = box === root ? null : boxOf(box)) {
      for (const rect of range.getClientRects()) inside(rect, box.getBoundingClientRect(), parent, "the text");
    }
    for (const match of text.data.matchAll(/\d{4}-\d\d-\d\d|[^\s\-\/.,:;_=]+(?:[.,:][0-9]+)*/g)) {
      if (match[0].length > LONG) continue;
      range.setStart(text, match.index);
      range.setEnd(text, match.index + match[0].length);
      const lines = new Set([...range.getClientRects()].filter((rect) => rect.width > 0.5).map((rect) => Math.round(rect.top)));
      if (lines.size > 1) say(parent, `"${match[0]}" is broken over ${lines.size} lines`);
    }
  }
  for (const node of document.querySelectorAll(`${BOXES}, input, select, .meter`)) {
    if (!visible(node) || node.parentElement?.closest("svg")) continue;
    const box = boxOf(node);
    if (box) inside(node.getBoundingClientRect(), box.getBoundingClientRect(), node, "it");
  }
  return [...new Set(faults)];
};
