package browser

// contrasts computes the contrast of each text with the first background that is
// behind it. Text in a picture counts as text; what is drawn behind it there does not
// count as background.
const contrasts = `(() => {
	const least = %v, found = [];
	const channels = (color) => (color.match(/[\d.]+/g) || []).map(Number);
	const luminance = ([r, g, b]) => {
		const [x, y, z] = [r, g, b].map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
		return 0.2126 * x + 0.7152 * y + 0.0722 * z;
	};
	const over = (top, below) => { const a = top.length > 3 ? top[3] : 1; return [0, 1, 2].map((i) => top[i] * a + below[i] * (1 - a)); };
	const behind = (element) => {
		const layers = [];
		for (let e = element; e; e = e.parentElement) {
			const c = channels(getComputedStyle(e).backgroundColor);
			if (c.length && (c.length < 4 || c[3] > 0)) { layers.push(c); if (c.length < 4 || c[3] === 1) break; }
		}
		const dark = matchMedia("(prefers-color-scheme: dark)").matches && getComputedStyle(document.documentElement).colorScheme.includes("dark");
		return layers.reverse().reduce((below, top) => over(top, below), dark ? [18, 18, 18] : [255, 255, 255]);
	};
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let node = walk.nextNode(); node; node = walk.nextNode()) {
		const element = node.parentElement, text = node.textContent.trim();
		if (!text || ["SCRIPT", "STYLE", "TITLE", "DESC"].includes(element.tagName.toUpperCase()) || !element.getClientRects().length) continue;
		const style = getComputedStyle(element);
		if (style.visibility === "hidden" || Number(style.opacity) === 0) continue;
		const background = behind(element);
		const drawn = element instanceof SVGElement;
		const color = channels(drawn ? style.fill : style.color);
		if (!color.length) continue;
		const a = luminance(over(color, background)), b = luminance(background);
		const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (contrast < least) found.push(text.slice(0, 40) + ": " + contrast.toFixed(2));
	}
	return found;
})()`
