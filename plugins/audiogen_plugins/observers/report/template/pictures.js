const WAVE_MIDDLE = 50; // of the drawing, which is 100 high
const WAVE_SCALE = 48 / 127;
const HAIR = 0.6; // half the height of silence, so that it shows

/* The outline of a waveform, from its lowest and highest samples in turns, as an SVG path. */
function wavePath(text) {
  const bytes = Int8Array.from(atob(text), (one) => one.charCodeAt(0));
  const above = [];
  const below = [];
  for (let column = 0; column < bytes.length / 2; column += 1) {
    const low = bytes[2 * column] * WAVE_SCALE;
    const high = bytes[2 * column + 1] * WAVE_SCALE;
    above.push(`${column} ${(WAVE_MIDDLE - Math.max(high, HAIR)).toFixed(1)}`);
    below.push(`${column} ${(WAVE_MIDDLE - Math.min(low, -HAIR)).toFixed(1)}`);
  }
  return `M${above.join("L")}L${below.reverse().join("L")}Z`;
}

/* Lengths, levels and times, as people read them. */
const shownLevel = (value, unit) => (value === null ? `no ${unit}` : `${value.toFixed(1)} ${unit}`);
const shownSeconds = (value) => `${value.toFixed(value < 10 ? 2 : 1)} s`;
const shownTime = (seconds) => {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  const rest = tenths % 600;
  return `${Math.floor(tenths / 600)}:${String(Math.floor(rest / 10)).padStart(2, "0")}.${rest % 10}`;
};
const shownCount = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
const titleOf = (entry) => entry.prompt || entry.file;

function setIcon(button, name) {
  button.querySelector("use").setAttribute("href", `#icon-${name}`);
}
