/* Plays one entry after the other, and shows the current one. */
class Player extends EventTarget {
  constructor(element, marks) {
    super();
    this.element = element;
    this.marks = marks;
    this.entry = null;
    this.audio = new Audio();
    this.audio.preload = "none";
    this.find = (id) => element.querySelector(`#${id}`);
    for (const name of ["play", "pause"]) this.audio.addEventListener(name, () => this.#changed());
    this.audio.addEventListener("ended", () => this.dispatchEvent(new Event("ended")));
    this.audio.addEventListener("error", () => this.#failed());
    this.find("seek").addEventListener("input", (event) => {
      this.seek((event.target.value / 1000) * this.length);
    });
    this.#show();
  }

  get playing() {
    return !this.audio.paused && !this.audio.ended;
  }

  get length() {
    return this.entry?.measured?.seconds ?? (this.audio.duration || 0);
  }

  choose(entry, play) {
    if (entry !== this.entry) {
      this.audio.pause();
      this.entry = entry;
      this.audio.removeAttribute("src");
      if (entry && !entry.failed) this.audio.src = entry.url;
      this.find("trouble").textContent = "";
      this.#show();
    }
    if (play) this.play();
  }

  play() {
    if (!this.entry || this.entry.failed) return;
    // Stopped on purpose, or not to be played: the error event tells of the latter.
    this.audio.play().catch(() => {});
  }

  toggle() {
    if (this.playing) this.audio.pause();
    else this.play();
  }

  seek(seconds) {
    if (!this.entry || this.entry.failed) return;
    const to = Math.min(Math.max(seconds, 0), this.length);
    if (this.audio.readyState > 0) this.audio.currentTime = to;
    else {
      this.audio.addEventListener("loadedmetadata", () => { this.audio.currentTime = to; }, { once: true });
      this.audio.preload = "metadata";
      this.audio.load();
    }
    this.#tick(to);
  }

  get position() {
    return this.audio.readyState > 0 ? this.audio.currentTime : 0;
  }

  refreshMark() {
    const markable = this.entry && !this.entry.failed;
    this.find("mark").disabled = !markable;
    this.find("mark").setAttribute("aria-pressed", Boolean(markable && this.marks.has(this.entry.file)));
  }

  #changed() {
    const button = this.find("play");
    setIcon(button, this.playing ? "pause" : "play");
    button.setAttribute("aria-label", this.playing ? "Pause" : "Play");
    this.dispatchEvent(new Event("change"));
    if (this.playing) this.#follow();
    else this.#tick(this.position);
  }

  #follow() {
    if (!this.playing) return;
    this.#tick(this.position);
    requestAnimationFrame(() => this.#follow());
  }

  #tick(seconds) {
    const part = this.length ? Math.min(seconds / this.length, 1) : 0;
    const seek = this.find("seek");
    this.element.style.setProperty("--at", part);
    seek.value = Math.round(part * 1000);
    seek.setAttribute("aria-valuetext", `${seconds.toFixed(1)} of ${this.length.toFixed(1)} seconds`);
    this.find("time").textContent = `${shownTime(seconds)} / ${shownTime(this.length)}`;
  }

  #failed() {
    if (!this.audio.hasAttribute("src")) return;
    this.find("trouble").textContent =
      `“${this.entry.file}” cannot be played: it is not beside this page, or this browser cannot read its format.`;
    this.#changed();
  }

  #show() {
    const { entry } = this;
    const playable = Boolean(entry && !entry.failed);
    this.find("now-title").textContent = entry ? titleOf(entry) : "Nothing chosen";
    for (const id of ["play", "seek"]) this.find(id).disabled = !playable;
    fillPictures(this.element, entry ?? {});
    this.find("facts").replaceChildren(...(entry ? factsOf(entry) : []));
    this.refreshMark();
    this.#tick(0);
  }
}

/* What is known of an entry, as terms and descriptions. */
function factsOf(entry) {
  const { measured, settings } = entry;
  const file = document.createElement(entry.failed ? "span" : "a");
  file.textContent = entry.file;
  if (!entry.failed) file.href = entry.url;
  const facts = [
    ["Failed", entry.cause],
    ["Cannot be read", entry.problem],
    ["Negative", entry.negative],
    ["Seed", entry.seed],
    ["Length", measured && shownSeconds(measured.seconds)],
    ["Loudness", measured && shownLevel(measured.loudness, "LUFS")],
    ["RMS", measured && shownLevel(measured.rms, "dBFS")],
    ["Peak", measured && shownLevel(measured.peak, "dBFS")],
    ["Audio", measured && `${measured.sample_rate / 1000} kHz, ${shownCount(measured.channels, "channel")}`],
    ...Object.entries(settings),
    ["Sample", entry.place],
    ["File", file],
  ];
  return facts
    .filter(([, value]) => value)
    .flatMap(([term, value]) => {
      const name = Object.assign(document.createElement("dt"), { textContent: term });
      const description = document.createElement("dd");
      description.append(value);
      return [name, description];
    });
}
