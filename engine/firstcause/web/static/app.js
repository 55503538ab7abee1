// What the page does beyond HTML and htmx: keys, dialogs, copying, ticks, times, charts. No build step.
"use strict";

const $ = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// Times

const PARTS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

function spoken(seconds) {
  let left = Math.max(0, Math.round(seconds));
  for (const [unit, size] of PARTS) {
    if (left >= size) return `${Math.floor(left / size)} ${unit}`;
  }
  return "0 s";
}

function tellTimes() {
  for (const each of all("time[data-ago], time[data-since]")) {
    const seconds = (Date.now() - Date.parse(each.dateTime)) / 1000;
    if (each.hasAttribute("data-since")) each.textContent = spoken(seconds);
    else if (Math.abs(seconds) < 10) each.textContent = "just now";
    else each.textContent = seconds > 0 ? `${spoken(seconds)} ago` : `in ${spoken(-seconds)}`;
  }
}

// Words that screen readers hear too

let quiet;
function say(text) {
  $("#said").textContent = text;
  clearTimeout(quiet);
  quiet = setTimeout(() => { $("#said").textContent = ""; }, 4000);
}

// Copying. Without https there is no clipboard API, so a field that is selected does it.

async function copy(button) {
  const answer = await fetch(button.dataset.copy, { headers: { Accept: "text/plain" } });
  if (!answer.ok) return say("The report could not be had; is the daemon up?");
  const text = await answer.text();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "unseen";
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    button.focus();
    if (!copied) return say("The browser does not let us copy; the text is under Debug info");
  }
  say("Copied");
}

// Steps that were ticked off stay so in this browser

function ticks() {
  for (const box of all("input[data-tick]")) box.checked = kept(`tick-${box.dataset.tick}`) === "1";
}
function kept(name) { try { return localStorage.getItem(name); } catch { return null; } }
function keep(name, value) {
  try { value ? localStorage.setItem(name, value) : localStorage.removeItem(name); } catch { /* private windows */ }
}

// Charts

function tone(name) {
  let tones = $(".tones");
  if (!tones) {
    tones = document.createElement("div");
    tones.className = "tones";
    tones.hidden = true;
    for (const each of ["ink", "soft", "line", "one", "two", "three", "four"]) {
      const probe = document.createElement("i");
      probe.className = each;
      tones.append(probe);
    }
    document.body.append(tones);
  }
  return getComputedStyle($(`.${name}`, tones)).color;
}

function marks(data) {
  return { hooks: { draw: [(plot) => {
    const { ctx } = plot;
    ctx.save();
    ctx.strokeStyle = tone("soft");
    ctx.setLineDash([2, 3]);
    for (const mark of data.marks) {
      const x = Math.round(plot.valToPos(mark.at, "x", true));
      if (x < plot.bbox.left || x > plot.bbox.left + plot.bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, plot.bbox.top);
      ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }] } };
}

function withForecast(data) {
  // The forecast's two points follow the last measured one; its interval is filled between two lines.
  const times = [...data.times], lines = data.series.map((each) => [...each.values]);
  const series = data.series.map((each, at) => ({
    label: each.name, stroke: tone(["one", "two", "three", "four"][at % 4]), width: 1.5, spanGaps: false,
    points: { show: data.times.length < 30 },
  }));
  const bands = [];
  if (data.ahead.length) {
    const end = data.ahead[1];
    const line = (key) => [...data.times.slice(0, -1).map(() => null), data.ahead[0][key], end[key]];
    times.push(end.at);
    for (const each of lines) each.push(null);
    const dashed = { width: 1, dash: [5, 4], points: { show: false } };
    series.push({ label: "forecast", stroke: tone("soft"), ...dashed });
    series.push({ label: "soonest", stroke: tone("line"), ...dashed }, { label: "latest", stroke: tone("line"), ...dashed });
    lines.push(line("value"), line("soonest"), line("latest"));
    const at = data.series.length + 2;
    bands.push({ series: [at, at + 1], fill: tone("line") }, { series: [at + 1, at], fill: tone("line") });
  }
  return { times, lines, series, bands };
}

async function draw(figure) {
  const answer = await fetch(figure.dataset.chart);
  if (!answer.ok) { figure.hidden = true; return; }
  const data = await answer.json();
  const shown = withForecast(data);
  const clock = (_plot, times, _axis, _space, step) => times.map((at) => {
    const text = new Date(at * 1000).toISOString();
    return step >= 86400 ? text.slice(5, 10) : step >= 3600 && at % 86400 === 0 ? text.slice(5, 10) : text.slice(11, 16);
  });
  const axis = { stroke: tone("soft"), grid: { stroke: tone("line"), width: 1 }, ticks: { stroke: tone("line") } };
  const options = {
    width: figure.clientWidth, height: 220, series: [{}, ...shown.series], bands: shown.bands,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
    axes: [{ ...axis, values: clock }, { ...axis, size: 56 }],
    scales: {
      x: { range: (_plot, least, most) => [Math.min(data.since, least ?? data.since), Math.max(data.until, most ?? data.until)] },
      y: { range: (_plot, least, most) => [Math.min(0, least ?? 0), (most || 1) * 1.08] },
    },
    legend: { show: data.series.length > 1 || data.ahead.length > 0 },
    plugins: [marks(data)],
  };
  figure.replaceChildren();
  const plot = new uPlot(options, [shown.times, ...shown.lines], figure);
  new ResizeObserver(() => plot.setSize({ width: figure.clientWidth, height: 220 })).observe(figure);
}

function charts() {
  if (window.uPlot) for (const each of all("[data-chart]")) draw(each);
}

// Keys

function walk(step) {
  const rows = all("[data-row]");
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
  $("h2 a", next).focus();
  next.scrollIntoView({ block: "nearest" });
}

function press(key) {
  const row = document.activeElement?.closest?.("[data-row]");
  const wanted = $(`[data-key="${key}"]`, row ?? document);
  if (!wanted) return false;
  wanted.click();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  // The field of a dialog that was just closed has the focus for a moment more; nobody writes in it.
  if (event.target.closest("dialog[open], :is(input, textarea, select):not(dialog *)")) return;
  const steps = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 };
  if (event.key in steps && $("[data-row]")) walk(steps[event.key]);
  else if (event.key === "?") $("#help").showModal();
  else if (event.key === "/" && $("input[type=search]")) $("input[type=search]").focus();
  else if (event.key === "u" && !$('[data-key="u"]')) location.assign("/");
  else if ("acvu".includes(event.key) && event.key.length === 1) { if (!press(event.key)) return; }
  else return;
  event.preventDefault();
});

// What is clicked

document.addEventListener("click", (event) => {
  const copying = event.target.closest("[data-copy]");
  if (copying) copy(copying).catch(() => say("The daemon does not answer"));
  if (event.target.closest("[data-help]")) $("#help").showModal();
  const closing = event.target.closest("dialog [data-close]");
  if (closing) { event.preventDefault(); closing.closest("dialog").close(); }
});

document.addEventListener("change", (event) => {
  const box = event.target.closest("input[data-tick]");
  if (box) keep(`tick-${box.dataset.tick}`, box.checked ? "1" : "");
});

// What is swapped in: a form that asks opens as a dialog; times and ticks are told anew

const asking = $("#asking");
asking.addEventListener("close", () => { $("#asked").replaceChildren(); });

document.addEventListener("htmx:after:swap", () => {
  // Once for each that is asked: one that was just closed is still there when something else is swapped in.
  const form = $("#asked #ask");
  if (form && !form.dataset.shown) { form.dataset.shown = "1"; asking.showModal(); }
  tellTimes();
  ticks();
});

// Whether the page is live

function live(well) {
  const sign = $("#live");
  if (!sign) return;
  sign.hidden = false;
  sign.classList.toggle("lost", !well);
  const text = well ? "Live" : "Not live, trying again";
  if (sign.textContent !== text) sign.textContent = text;
}
document.addEventListener("htmx:sse:after:connection", () => live(true));
document.addEventListener("htmx:sse:error", () => live(false));
document.addEventListener("htmx:sse:close", () => live(false));

tellTimes();
setInterval(tellTimes, 10000);
ticks();
charts();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", charts);
$(".marked")?.scrollIntoView({ block: "center" });
