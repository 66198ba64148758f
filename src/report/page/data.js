"use strict";
// What all figures share: the numbers of the page, how layers look, axes of steps, and small pieces of the document.
const data = JSON.parse(document.getElementById("data").textContent);
const several = data.runs.length > 1;
const dark = matchMedia("(prefers-color-scheme: dark)");
const symbols = ["circle", "square", "triangle", "diamond", "star", "wye", "plus"];
let printing = false;

const isDark = () => dark.matches && !printing;

/** The color of a layer: viridis in the order of depth, less the end that the background swallows. */
function color(tap) {
  const part = data.taps.length > 1 ? tap / (data.taps.length - 1) : 0.5;
  return d3.interpolateViridis(isDark() ? 0.28 + 0.72 * part : 0.85 * part);
}

const symbol = (tap) => symbols[tap % symbols.length];
const paper = () => getComputedStyle(document.documentElement).getPropertyValue("--paper").trim();

/** A part of the document; children that are text stay text. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** A labelled choice among some names. */
function choice(label, names, chosen, change) {
  const options = names.map((name, place) => element("option", { value: place, selected: place === chosen }, name));
  const select = element("select", { onchange: () => change(Number(select.value)) }, ...options);
  return element("label", {}, label, select);
}

/** The points of a curve as objects, which is what the plotting library takes. */
function points(curve) {
  return curve.steps.map((step, place) => ({
    step,
    tap: curve.tap,
    run: curve.run,
    value: curve.values[place],
    low: curve.low[place],
    high: curve.high[place],
    flagged: curve.flagged ? curve.flagged[place] === 1 : false,
  }));
}

/** What is drawn of a measure: the curves of the only run, or means and spread over several. */
function shown(measure, run = null) {
  if (run !== null) return measure.curves.filter((curve) => curve.run === run);
  return several && measure.means.length ? measure.means : measure.curves;
}

const stepWords = (step) => (step < 1e4 ? String(step) : d3.format(".3~s")(step));
const label = (measure) => `${measure.title} (${measure.unit.replace("-", " ")})`;
const tidy = d3.format(".3~g");
const round = (value) => (value === null || value === undefined ? "–" : tidy(value).replace("−", "-"));

/** The scale of steps: logarithmic in 1 + step, so that step 0 has a place, or linear. */
function stepScale(steps, logarithmic, width) {
  const most = d3.max(steps) ?? 1;
  if (!logarithmic) return { label: "step", domain: [0, most], ticks: Math.max(2, width / 90), labelAnchor: "center", labelArrow: "none" };
  const ticks = [0];
  for (let power = 0; 10 ** power <= most; power += 1) ticks.push(10 ** power);
  return { label: "step", type: "symlog", constant: 1, domain: [0, most], ticks, tickFormat: stepWords, labelAnchor: "center", labelArrow: "none" };
}

/** How layers look, in words and marks. */
function legend() {
  const entry = (name, tap) => {
    const mark = d3.create("svg").attr("width", 14).attr("height", 14).attr("aria-hidden", "true");
    const shape = { circle: d3.symbolCircle, square: d3.symbolSquare, triangle: d3.symbolTriangle, diamond: d3.symbolDiamond,
      star: d3.symbolStar, wye: d3.symbolWye, plus: d3.symbolPlus }[symbol(tap)];
    const path = mark.append("path").attr("transform", "translate(7,7)").attr("d", d3.symbol(shape, 55)());
    if (symbol(tap) === "plus") path.attr("stroke", color(tap)).attr("stroke-width", 2);
    else path.attr("fill", color(tap));
    return element("li", {}, mark.node(), name);
  };
  return element("ul", { class: "legend", "aria-label": "layers, from input to output" }, ...data.taps.map(entry));
}
