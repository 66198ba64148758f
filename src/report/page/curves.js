"use strict";
// Cards: each measure over steps, with the network's own course below it, and as a heat map of layers and steps.
const view = { tap: Math.max(0, data.taps.length - 1), logarithmic: true };
const phaseColors = { constant: "#999999", falling: "#56B4E9", plateau: "#F0E442", rising: "#E69F00", flat: "#999999" };

/** One measure's card; its figures are drawn when they come into sight. */
function card(measure) {
  const curves = element("figure", {});
  const heat = element("figure", {});
  const own = measure.curves.length > 0 && data.network.includes(measure);
  const values = element("details", { ontoggle: () => values.open && values.children.length < 2 && values.append(table(measure, own)) },
    element("summary", {}, "Values as a table"));
  const body = own ? element("div", {}, curves) : element("div", { class: "pair" }, curves, heat);
  const whole = element("article", { class: "card" }, element("h3", {}, label(measure)), body, values);
  whole.draw = () => {
    curves.replaceChildren(lines(measure, own, Math.max(280, curves.clientWidth)), ...(own ? [] : [network(measure, curves.clientWidth)]));
    if (!own) heat.replaceChildren(...heatMap(measure, Math.max(280, heat.clientWidth)));
  };
  return whole;
}

/** The phases of the chosen layer, each until the next one begins. */
function phasesOf(measure, own) {
  const run = several ? -1 : 0;
  const last = d3.max(measure.curves.flatMap((curve) => curve.steps)) || 1;
  const part = (step) => (view.logarithmic ? Math.log1p(step) / Math.log1p(last) : step / last);
  const found = measure.phases.filter((phase) => phase.run === run && (own || phase.tap === view.tap));
  const middle = (a, b) => (view.logarithmic ? Math.expm1((Math.log1p(a) + Math.log1p(b)) / 2) : (a + b) / 2);
  return found.map((phase, place) => {
    const end = found[place + 1]?.from ?? phase.to;
    // A name that does not fit would cover the next one.
    return { ...phase, end, middle: middle(phase.from, end), name: part(end) - part(phase.from) > 0.12 ? phase.phase : "" };
  }).filter((phase) => phase.end > phase.from);
}

function lines(measure, own, width) {
  const main = shown(measure).flatMap(points);
  const all = measure.curves.flatMap(points);
  const steps = all.map((point) => point.step);
  const chosen = (point) => own || point.tap === view.tap;
  const faint = (point) => (chosen(point) ? 1 : 0.65);
  const stroke = (point) => (own ? (isDark() ? "#e9ebf0" : "#1c1d21") : color(point.tap));
  const few = main.length <= 1500;
  const phases = phasesOf(measure, own);
  const banded = main.filter((point) => point.low !== null);
  const marks = [
    Plot.rect(phases, { x1: "from", x2: "end", fill: (phase) => phaseColors[phase.phase], fillOpacity: isDark() ? 0.16 : 0.2 }),
    Plot.ruleX(phases.slice(1), { x: "from", stroke: "currentColor", strokeOpacity: 0.5, strokeDasharray: (phase) => (phase.resolved === false ? "3,3" : null) }),
    Plot.text(phases, { x: "middle", frameAnchor: "top", text: "name", dy: -12, fontSize: 11, fill: "currentColor", fillOpacity: 0.75 }),
    Plot.areaY(banded, { x: "step", y1: "low", y2: "high", z: "tap", fill: stroke, fillOpacity: (point) => (chosen(point) ? 0.28 : 0.1) }),
  ];
  if (several) marks.push(Plot.line(all, { x: "step", y: "value", z: (point) => `${point.run} ${point.tap}`, stroke, strokeOpacity: 0.3, strokeWidth: 0.8 }));
  marks.push(Plot.line(main, { x: "step", y: "value", z: "tap", stroke, strokeWidth: 1.8, strokeOpacity: faint }));
  if (few) {
    marks.push(Plot.dot(main, { x: "step", y: "value", stroke, strokeOpacity: faint, r: 2.6, symbol: (point) => (own ? "circle" : symbol(point.tap)),
      fill: (point) => (point.flagged ? paper() : stroke(point)), fillOpacity: faint }));
  }
  if (!own && data.taps.length <= 8) {
    const ends = d3.groups(main, (point) => point.tap).map(([, own]) => own[own.length - 1]);
    marks.push(Plot.text(spreadOut(ends, main), { x: "step", y: "at", text: (point) => data.taps[point.tap], dx: 8, textAnchor: "start", fontSize: 11,
      fill: "currentColor", fillOpacity: (point) => (chosen(point) ? 1 : 0.75) }));
  }
  marks.push(Plot.tip(main, Plot.pointer({ x: "step", y: "value", title: (point) =>
    `${own ? measure.title : data.taps[point.tap]}, step ${point.step}\n${round(point.value)} [${round(point.low)}, ${round(point.high)}]${point.flagged ? "\nflagged" : ""}` })));
  return Plot.plot({
    width, height: own ? 220 : 300, marginLeft: 52, marginRight: own || data.taps.length > 8 ? 16 : 84, marginTop: 30, marginBottom: own ? 36 : 20,
    style: { fontSize: "11.5px", background: "transparent" },
    ariaLabel: `${measure.title} over steps`,
    x: { ...stepScale(steps, view.logarithmic, width), ...(own ? {} : { label: null }) },
    y: { label: measure.unit.replace("-", " "), grid: true, nice: true, labelArrow: "none", labelAnchor: "top" },
    color: { type: "identity" }, symbol: { type: "identity" },
    marks,
  });
}

/** Labels at the ends of lines, moved apart so that none covers another. */
function spreadOut(ends, main) {
  const [low, high] = d3.extent(main.flatMap((point) => [point.value, point.low ?? point.value, point.high ?? point.value]));
  const room = 0.055 * (high - low || 1);
  const sorted = d3.sort(ends, (point) => point.value).map((point) => ({ ...point, at: point.value }));
  for (let place = 1; place < sorted.length; place += 1) sorted[place].at = Math.max(sorted[place].at, sorted[place - 1].at + room);
  const over = sorted.length ? sorted[sorted.length - 1].at - Math.max(high, sorted[sorted.length - 1].value) : 0;
  return over > 0 ? sorted.map((point) => ({ ...point, at: point.at - over / 2 })) : sorted;
}

/** The network's own loss and accuracy below a measure, on the same axis of steps. */
function network(measure, width) {
  if (!data.network.length) return "";
  const parts = data.network.map((own) => {
    const all = shown(own).flatMap(points);
    const most = own.measure === "loss" ? d3.max(all, (point) => point.value) || 1 : 1;
    return { name: own.measure === "loss" ? `loss ÷ ${round(most)}` : "accuracy", points: all.map((point) => ({ ...point, part: point.value / most })), dash: own.measure === "loss" ? null : "4,3" };
  });
  const steps = measure.curves.flatMap((curve) => curve.steps);
  return Plot.plot({
    width: Math.max(280, width), height: 112, marginLeft: 52, marginRight: data.taps.length > 8 ? 16 : 84, marginTop: 24, marginBottom: 34,
    style: { fontSize: "11.5px", background: "transparent" },
    ariaLabel: "the network's own loss and accuracy",
    x: stepScale(steps, view.logarithmic, width),
    y: { domain: [0, 1], ticks: [0, 0.5, 1], label: parts.map((part) => (part.dash ? `- - ${part.name}` : `— ${part.name}`)).join("   "), labelArrow: "none", grid: true },
    marks: parts.flatMap((part) => [
      Plot.line(part.points, { x: "step", y: "part", z: "run", stroke: "currentColor", strokeDasharray: part.dash, strokeOpacity: 0.85 }),
    ]),
  });
}

function heatMap(measure, width) {
  const all = shown(measure).flatMap(points);
  const steps = [...d3.union(all.map((point) => point.step))].sort(d3.ascending);
  const place = new Map(steps.map((step, index) => [step, index]));
  const every = Math.max(1, Math.ceil(steps.length / Math.max(2, Math.floor((width - 90) / 52))));
  const ticks = d3.range(steps.length).filter((index) => index % every === 0);
  const taps = [...d3.union(all.map((point) => point.tap))].sort(d3.ascending);
  const options = { type: "linear", interpolate: d3.interpolateViridis, domain: d3.extent(all, (point) => point.value), label: measure.unit.replace("-", " ") };
  const map = Plot.plot({
    width, height: Math.min(420, Math.max(150, 60 + 30 * taps.length)), marginLeft: 78, marginRight: 8, marginBottom: 36,
    style: { fontSize: "11.5px", background: "transparent" },
    ariaLabel: `${measure.title}: layers and steps`,
    x: { type: "band", domain: d3.range(steps.length), ticks, tickFormat: (index) => stepWords(steps[index]), label: "step (one column a checkpoint)", padding: 0 },
    y: { type: "band", domain: taps, tickFormat: (tap) => shorten(data.taps[tap]), label: null, padding: 0.04, tickSize: 0 },
    color: options,
    marks: [
      Plot.cell(all, { x: (point) => place.get(point.step), y: "tap", fill: "value", inset: 0 }),
      Plot.tip(all, Plot.pointer({ x: (point) => place.get(point.step), y: "tap", title: (point) => `${data.taps[point.tap]}, step ${point.step}\n${round(point.value)}${point.flagged ? "\nflagged" : ""}` })),
    ],
  });
  const ramp = Plot.legend({ color: options, width: Math.min(240, width - 20), height: 44, ticks: 4, style: { fontSize: "11.5px", background: "transparent" } });
  return [ramp, map];
}

/** What tells a long name from the other layers: without the beginning and the end that all of them share. */
function shorten(name) {
  if (name.length <= 11) return name;
  const shared = (a, b) => d3.range(Math.min(a.length, b.length)).find((place) => a[place] !== b[place]) ?? Math.min(a.length, b.length);
  const others = data.taps.filter((other) => other !== name);
  const reverse = (text) => [...text].reverse().join("");
  const start = others.length ? Math.min(...others.map((other) => shared(name, other))) : 0;
  const end = others.length ? Math.min(...others.map((other) => shared(reverse(name), reverse(other)))) : 0;
  const own = name.slice(start, Math.max(start + 1, name.length - end));
  return own.length <= 10 ? `…${own}…` : `${own.slice(0, 5)}…${own.slice(-5)}`;
}

/** Numbers for those who read rather than look: at most eight steps. */
function table(measure, own) {
  const curves = shown(measure);
  const steps = [...d3.union(curves.flatMap((curve) => curve.steps))].sort(d3.ascending);
  const few = steps.length <= 8 ? steps : d3.range(8).map((place) => steps[Math.floor((place * (steps.length - 1)) / 7)]);
  const cells = (curve) => few.map((step) => {
    const at = curve.steps.indexOf(step);
    const band = at >= 0 && curve.low[at] !== null ? ` [${round(curve.low[at])}, ${round(curve.high[at])}]` : "";
    return element("td", { class: "number" }, at < 0 ? "–" : `${round(curve.values[at])}${band}`);
  });
  const name = (curve) => (own ? measure.title : data.taps[curve.tap]);
  return element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${measure.title} as a table` },
    element("table", {},
      element("thead", {}, element("tr", {}, element("td", {}), ...few.map((step) => element("th", { scope: "col", class: "number" }, `step ${step}`)))),
      element("tbody", {}, ...curves.map((curve) => element("tr", {}, element("th", { scope: "row" }, name(curve)), ...cells(curve))))));
}
