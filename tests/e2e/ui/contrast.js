(marks) => {
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => { context.clearRect(0, 0, 1, 1); context.fillStyle = colour; context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data]; };
  const luminance = (channels) => { const [r, g, b] = channels.slice(0, 3).map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (node) => { for (let each = node.parentElement; each; each = each.parentElement) {
      const found = rgb(getComputedStyle(each).backgroundColor); if (found[3] === 255) return found; } return [255, 255, 255, 255]; };
  const faults = new Set();
  for (const node of document.querySelectorAll(marks)) {
    if (node.closest(".patterns, .badge, button") || !node.checkVisibility()) continue;
    const style = getComputedStyle(node);
    const colours = [style.fill, style.stroke, style.backgroundColor].filter((each) => each && !each.startsWith("url") && each !== "none");
    const below = luminance(ground(node));
    const best = Math.max(...colours.map(rgb).filter((each) => each[3] > 0).map((each) => {
      const [light, dark] = [luminance(each), below].sort((a, b) => b - a); return (light + 0.05) / (dark + 0.05); }));
    if (best < 3) faults.add(`${node.getAttribute("class")} of ${node.parentElement.getAttribute("class")}: ${best.toFixed(2)}`);
  }
  return [...faults];
}
