// Charts of the page of the status.
import uPlot from "uplot";
import { pageData } from "./common/data";
import { onTheme } from "./common/colour-switch";

interface Charts {
  rates: { times: number[]; counts: number[] };
  nights: { mjd: number[]; alerts: number[] };
  latencies: { seconds: number[]; arrival: number[]; exposure: number[] } | null;
}

type Make = (width: number, colours: Colours) => uPlot | null;

interface Colours {
  text: string;
  grid: string;
  first: string;
  second: string;
}

const HEIGHT = 220;
/** How times are written at an axis, by the seconds between two of them; the second line where the day changes. */
const TIMES: uPlot.Axis.Values = [
  [86400 * 28, "{YYYY}-{MM}", null, null, null, null, null, null, 1],
  [86400, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
  [60, "{HH}:{mm}", "\n{MM}-{DD}", null, null, null, null, null, 1],
  [1, ":{ss}", "\n{HH}:{mm}", null, null, null, null, null, 1],
];
const MJD_1970 = 40587;
const charts = pageData<Charts>("status-charts");

draw("chart-rates", (width, colours) => {
  const { times, counts } = charts.rates;
  return times.length
    ? new uPlot(
        options(width, colours, [{}, { label: "alerts", stroke: colours.first, fill: `${colours.first}33`, width: 1.2 }]),
        [times, counts],
      )
    : null;
});

draw("chart-nights", (width, colours) => {
  const { mjd, alerts } = charts.nights;
  if (!mjd.length) return null;
  const days = mjd.map((day) => (day - MJD_1970) * 86400);
  const bars = uPlot.paths.bars?.({ size: [0.7, 40] });
  const made = options(width, colours, [
    { value: "{YYYY}-{MM}-{DD}" },
    { label: "alerts", stroke: colours.first, fill: `${colours.first}66`, points: { show: false }, ...(bars ? { paths: bars } : {}) },
  ]);
  // A few days beside the bars, so that one alone is no wall.
  made.scales = { x: { range: [days[0]! - 3 * 86400, days.at(-1)! + 3 * 86400] } };
  return new uPlot(made, [days, alerts]);
});

draw("chart-latencies", (width, colours) => {
  const latencies = charts.latencies;
  if (!latencies?.seconds.length) return null;
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  const paths = stepped ? { paths: stepped } : {};
  const made = options(width, colours, [
    { label: "time", value: (_, value) => (value === null ? "–" : duration(value)) },
    { label: "since it reached us", stroke: colours.first, fill: `${colours.first}33`, width: 1.5, points: { show: false }, ...paths },
    { label: "since the exposure", stroke: colours.second, dash: [6, 4], width: 1.5, points: { show: false }, ...paths },
  ]);
  made.scales = { x: { time: false, distr: 3 } };
  made.axes![0]!.values = (_, values) => values.map((value) => (value === null ? "" : duration(value)));
  return new uPlot(made, [latencies.seconds, latencies.arrival, latencies.exposure]);
});

function options(width: number, colours: Colours, series: uPlot.Series[]): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: colours.text,
    grid: { stroke: colours.grid, width: 1 },
    ticks: { stroke: colours.grid, width: 1 },
    font: "12px system-ui, sans-serif",
  };
  return {
    width,
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
    series: [{ value: "{YYYY}-{MM}-{DD} {HH}:{mm}", ...series[0] }, ...series.slice(1)],
    axes: [{ ...axis, values: TIMES }, { ...axis, size: 60 }],
    legend: { live: true },
  };
}

function duration(seconds: number): string {
  const units: [number, string][] = [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const [size, name] = units.find(([least]) => seconds >= least) ?? [0.001, "ms"];
  return `${Number((seconds / size).toPrecision(2))} ${name}`;
}

/** Draws a chart as wide as its place, anew when that or the page's colours change. */
function draw(id: string, make: Make): void {
  const place = document.getElementById(id);
  if (!place) return;
  let chart: uPlot | null = null;
  const again = (): void => {
    chart?.destroy();
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    chart = make(place.clientWidth, {
      text: colour("--bs-secondary-color"),
      grid: colour("--bs-border-color"),
      first: colour("--bs-primary"),
      second: colour("--lasair-accent"),
    });
    if (chart) place.append(chart.root);
    else place.textContent = "There is nothing to draw yet.";
  };
  onTheme(again);
  new ResizeObserver(() => chart?.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
}
