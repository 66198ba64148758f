"use strict";
// A plane of two measures, through which each layer moves over training.

/** Builds a plane with its controls; `x` and `y` are places in `data.measures`. */
function plane(controls, figure, x, y) {
  const choices = data.measures.filter((measure) => measure.class === null);
  const state = { x: choices.indexOf(x), y: choices.indexOf(y), run: several ? null : 0, intervals: false, place: 0 };
  let steps = [];
  let timer = null;
  let frame = null;

  const slider = element("input", { type: "range", min: 0, value: 0, "aria-label": "step", oninput: () => go(Number(slider.value)) });
  const output = element("output", { "aria-live": "off" });
  const play = element("button", { type: "button", onclick: () => (timer ? stop() : start()) }, "Play");
  const names = choices.map((measure) => measure.title);
  const runs = ["mean over runs", ...data.runs.map((run) => run.name)];
  const whiskers = element("input", { type: "checkbox", onchange: () => { state.intervals = whiskers.checked; draw(); } });
  const key = element("div");
  controls.classList.add("controls");
  controls.append(
    element("div", { class: "steps" }, play, slider, output),
    choice("across", names, state.x, (place) => { state.x = place; reset(); }),
    choice("up", names, state.y, (place) => { state.y = place; reset(); }),
    ...(several ? [choice("run", runs, 0, (place) => { state.run = place === 0 ? null : place - 1; reset(); })] : []),
    element("label", {}, whiskers, "intervals"),
  );
  figure.before(key);

  /** Where each layer is at each step: both measures beside each other. */
  function places() {
    const [across, up] = [choices[state.x], choices[state.y]].map((measure) =>
      new Map(shown(measure, state.run).map((curve) => [curve.tap, new Map(points(curve).map((point) => [point.step, point]))])));
    const all = [];
    for (const [tap, own] of across) {
      for (const [step, a] of own) {
        const b = up.get(tap)?.get(step);
        if (b) all.push({ tap, step, x: a.value, y: b.value, x1: a.low, x2: a.high, y1: b.low, y2: b.high, flagged: a.flagged || b.flagged });
      }
    }
    return d3.sort(all, (point) => point.tap, (point) => point.step);
  }

  let all = [];
  function reset() {
    all = places();
    steps = [...d3.union(all.map((point) => point.step))].sort(d3.ascending);
    slider.max = Math.max(0, steps.length - 1);
    go(Math.max(0, steps.length - 1));
  }

  function go(place) {
    state.place = place;
    slider.value = place;
    slider.setAttribute("aria-valuetext", `step ${steps[place]}`);
    output.textContent = steps.length ? `step ${steps[place]}` : "no common step";
    frame ??= requestAnimationFrame(() => { frame = null; draw(); });
  }

  function start() {
    if (state.place >= steps.length - 1) go(0);
    play.textContent = "Pause";
    timer = setInterval(() => (state.place >= steps.length - 1 ? stop() : go(state.place + 1)), Math.max(60, 6000 / steps.length));
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }

  function draw() {
    key.replaceChildren(legend());
    const width = Math.max(300, figure.clientWidth);
    const now = steps[state.place];
    const trail = all.filter((point) => point.step <= now);
    const dots = all.filter((point) => point.step === now);
    const extent = (low, value, high) => {
      const found = d3.extent(all.flatMap((point) => (state.intervals ? [point[low], point[value], point[high]] : [point[value]])));
      const ends = found[0] === undefined ? [0, 1] : found;
      const room = 0.06 * (ends[1] - ends[0] || Math.abs(ends[0]) || 1);
      return [ends[0] - room, ends[1] + room];
    };
    const stroke = (point) => color(point.tap);
    const marks = [
      Plot.line(all, { x: "x", y: "y", z: "tap", stroke, strokeOpacity: 0.18 }),
      Plot.line(trail, { x: "x", y: "y", z: "tap", stroke, strokeWidth: 1.6, strokeOpacity: data.taps.length > 8 ? 0.4 : 0.8 }),
    ];
    if (state.intervals) {
      const known = dots.filter((point) => point.x1 !== null && point.y1 !== null);
      marks.push(Plot.ruleY(known, { y: "y", x1: "x1", x2: "x2", stroke }), Plot.ruleX(known, { x: "x", y1: "y1", y2: "y2", stroke }));
    }
    marks.push(Plot.dot(dots, { x: "x", y: "y", symbol: (point) => symbol(point.tap), r: 6.5, stroke, strokeWidth: 2,
      fill: (point) => (point.flagged ? paper() : color(point.tap)) }));
    if (data.taps.length <= 8) {
      marks.push(Plot.text(apart(dots, extent("x1", "x", "x2"), extent("y1", "y", "y2")), { x: "x", y: "at", text: (point) => data.taps[point.tap], dx: 11, textAnchor: "start", fontSize: 12,
        fill: "currentColor", stroke: paper(), strokeWidth: 4 }));
    }
    marks.push(Plot.tip(dots, Plot.pointer({ x: "x", y: "y", title: (point) =>
      `${data.taps[point.tap]}, step ${point.step}\n${choices[state.x].title}: ${round(point.x)} [${round(point.x1)}, ${round(point.x2)}]\n` +
      `${choices[state.y].title}: ${round(point.y)} [${round(point.y1)}, ${round(point.y2)}]${point.flagged ? "\nflagged" : ""}` })));
    const made = Plot.plot({
      width, height: Math.min(560, Math.max(320, 0.62 * width)), marginLeft: 56, marginBottom: 46, marginRight: 70, grid: true,
      style: { fontSize: "12px", background: "transparent" },
      ariaLabel: `Information plane at step ${now}`,
      ariaDescription: dots.map((point) => `${data.taps[point.tap]}: ${round(point.x)} across, ${round(point.y)} up`).join("; "),
      x: { label: `${label(choices[state.x])} →`, domain: extent("x1", "x", "x2"), labelAnchor: "center", labelArrow: "none" },
      y: { label: `↑ ${label(choices[state.y])}`, domain: extent("y1", "y", "y2"), labelArrow: "none" },
      color: { type: "identity" }, symbol: { type: "identity" },
      marks,
    });
    figure.replaceChildren(made);
  }

  reset();
  return draw;
}

/** Names beside marks, moved up where they would cover one that stands there. */
function apart(dots, [left, right], [low, high]) {
  const near = 0.13 * (right - left);
  const room = 0.035 * (high - low);
  const placed = [];
  for (const dot of d3.sort(dots, (point) => point.y)) {
    let at = dot.y;
    for (const other of d3.sort(placed, (point) => point.at)) {
      if (Math.abs(other.x - dot.x) < near && Math.abs(other.at - at) < room) at = other.at + room;
    }
    placed.push({ ...dot, at });
  }
  return placed;
}
