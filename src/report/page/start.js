"use strict";
// Puts the figures into the page, and draws again what the reader changes: size, colors, choices.
const redraw = [];
const byId = (id) => document.getElementById(id);
const first = (...tests) => tests.map((test) => data.measures.find((measure) => measure.class === null && test(measure))).find(Boolean);

function planes() {
  const information = (input) => (measure) => measure.measure === "information" && (measure.variable === "input") === input;
  const usable = (measure) => measure.measure === "usable";
  const x = first(information(true), (measure) => measure.measure === "information-bound", (measure) => measure.measure === "fraction-unexplained", () => true);
  const y = first(information(false), usable, (measure) => measure !== x, () => true);
  if (!x || !y) {
    byId("plane").append(element("p", {}, "There is no measure of the layers to draw."));
    return;
  }
  redraw.push(plane(byId("plane-controls"), byId("plane-figure"), x, y));
  if (!byId("sufficiency-figure")) return;
  const fraction = (task) => (measure) => measure.measure === "usable-fraction" && (measure.variable === data.task) === task;
  redraw.push(plane(byId("sufficiency-controls"), byId("sufficiency-figure"), first(fraction(false)), first(fraction(true))));
}

function cards() {
  const seen = new Set();
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) { seen.add(entry.target); if (entry.target.stale) { entry.target.stale = false; entry.target.draw(); } } else seen.delete(entry.target);
    }
  }, { rootMargin: "400px" });
  const all = [];
  const add = (into, measures) => {
    for (const measure of measures) {
      const made = card(measure);
      made.stale = true;
      into.append(made);
      all.push(made);
      watch.observe(made);
    }
  };
  const rest = data.measures.filter((measure) => !measure.main);
  const network = element("div", { id: "network" });
  byId("cards").append(network);
  add(network, data.network);
  add(byId("cards"), data.measures.filter((measure) => measure.main));
  if (rest.length) {
    const more = element("details", {}, element("summary", {}, `${rest.length} more: what follows from these, and classes one by one`));
    add(more, rest);
    byId("cards").append(more);
  }
  const again = (everything) => {
    for (const one of all) {
      // What is folded away has no width to draw in.
      if (everything ? one.offsetParent !== null : seen.has(one)) { one.stale = false; one.draw(); } else one.stale = true;
    }
  };
  redraw.push(again);
  const key = element("div", {}, legend());
  byId("measure-controls").classList.add("controls");
  byId("measure-controls").append(
    choice("layer with its phases", data.taps, view.tap, (place) => { view.tap = place; again(false); }),
    choice("steps", ["logarithmic", "linear"], 0, (place) => { view.logarithmic = place === 0; again(false); }),
  );
  byId("measure-controls").after(key);
  redraw.push(() => key.replaceChildren(legend()));
}

planes();
cards();
const drawAll = (everything) => redraw.forEach((draw) => draw(everything));
let width = innerWidth;
let waiting = null;
addEventListener("resize", () => {
  if (innerWidth === width) return;
  width = innerWidth;
  clearTimeout(waiting);
  waiting = setTimeout(() => drawAll(false), 120);
});
dark.addEventListener("change", () => drawAll(false));
addEventListener("beforeprint", () => { printing = true; drawAll(true); });
addEventListener("afterprint", () => { printing = false; drawAll(false); });
