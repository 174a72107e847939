/* Puts the parts together: what is asked for, what is chosen, keys and colours. */
function start() {
  const get = (id) => document.getElementById(id);
  const library = new Library(JSON.parse(get("data").textContent));
  get("data").remove(); // it is large, and no longer needed
  const marks = new Marks(library);
  const list = new OutputList(get("outputs"), get("row"), marks);
  const player = new Player(get("now"), marks);
  const exporter = new Exporter(get("exporter"), library, marks);
  const wanted = { query: "", kind: "all", facets: {}, sort: "order", reverse: false };

  function update() {
    const entries = library.select(wanted, marks);
    list.show(entries);
    get("nothing").hidden = entries.length > 0;
    get("shown").textContent = entries.length === library.entries.length
      ? `All ${shownCount(entries.length, "result")}`
      : `${entries.length.toLocaleString("en")} of ${shownCount(library.entries.length, "result")}`;
    const active = Object.values(wanted.facets).filter(Boolean).length;
    get("active").textContent = active ? ` (${active})` : "";
  }

  function choose(entry, play) {
    player.choose(entry, play);
    list.choose(entry, player.playing);
    list.reveal(entry);
  }

  /* One further or one back; what was playing goes on with that one. */
  function move(by) {
    const at = list.positions.get(player.entry);
    const next = list.entries[at === undefined ? 0 : at + by];
    if (next) choose(next, player.playing || player.audio.ended);
  }

  function mark(entry) {
    if (entry && !entry.failed) marks.toggle(entry.file);
  }

  function toggle(entry) {
    if (entry === player.entry) player.toggle();
    else choose(entry, true);
  }

  function playCurrent() {
    if (player.entry) player.toggle();
    else if (list.entries.length) choose(list.entries[0], true);
  }

  /* What is asked for */
  let waiting = 0;
  function settle() {
    if (!waiting) return;
    cancelAnimationFrame(waiting);
    waiting = 0;
    update();
    scrollTo(0, 0);
  }
  get("query").addEventListener("input", (event) => {
    wanted.query = event.target.value;
    waiting ||= requestAnimationFrame(settle);
  });
  document.querySelector(".segments").addEventListener("change", (event) => {
    wanted.kind = event.target.value;
    update();
    scrollTo(0, 0);
  });
  get("sort").addEventListener("change", (event) => { wanted.sort = event.target.value; update(); });
  get("direction").addEventListener("click", () => {
    wanted.reverse = !wanted.reverse;
    get("direction").setAttribute("aria-pressed", wanted.reverse);
    update();
  });
  get("facets").addEventListener("change", (event) => {
    wanted.facets[event.target.dataset.key] = event.target.value;
    update();
  });
  get("clear").addEventListener("click", () => {
    Object.assign(wanted, { query: "", kind: "all", facets: {} });
    get("query").value = "";
    document.querySelector("[name=kind][value=all]").checked = true;
    for (const select of get("facets").querySelectorAll("select")) select.value = "";
    update();
    get("query").focus();
  });
  fillChoices(library, get("sort"), get("facets"));
  get("filters").hidden = !get("facets").childElementCount;

  /* What is chosen, played and marked */
  list.addEventListener("play", (event) => toggle(event.detail));
  list.addEventListener("choose", (event) => {
    if (event.detail === player.entry) player.toggle();
    else choose(event.detail, player.playing);
  });
  list.addEventListener("mark", (event) => mark(event.detail));
  player.addEventListener("change", () => list.choose(player.entry, player.playing));
  player.addEventListener("ended", () => { if (get("on").checked) move(1); });
  marks.addEventListener("change", () => {
    list.refresh();
    player.refreshMark();
    get("marked").textContent = marks.files.size;
  });
  get("marked").textContent = marks.files.size;
  get("previous").addEventListener("click", () => move(-1));
  get("next").addEventListener("click", () => move(1));
  get("play").addEventListener("click", playCurrent);
  get("mark").addEventListener("click", () => mark(player.entry));
  get("export").addEventListener("click", () => exporter.open());
  get("more").addEventListener("click", () => {
    const open = get("now").classList.toggle("open");
    get("more").setAttribute("aria-expanded", open);
  });

  /* Keys */
  const keys = {
    j: () => move(1), ArrowDown: () => move(1),
    k: () => move(-1), ArrowUp: () => move(-1),
    " ": playCurrent,
    m: () => mark(player.entry),
    e: () => exporter.open(),
    t: () => theme.toggle(),
    "/": () => get("query").select(),
    ArrowLeft: () => player.seek(player.position - 1),
    ArrowRight: () => player.seek(player.position + 1),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || get("exporter").open) return;
    const at = event.target;
    if (event.key === "Escape" && at.id === "query") at.blur();
    const typing = at.matches("input:not([type=radio], [type=checkbox], [type=range]), select, textarea");
    // Keys that an element has a meaning of its own for stay its own.
    const own = { " ": "button, summary, input", ArrowLeft: "input", ArrowRight: "input",
      ArrowUp: "input", ArrowDown: "input" }[event.key];
    if (typing || (own && at.matches(own))) return;
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    settle(); // keys move through what is asked for by now, be it shown already or not
    act();
  });

  const theme = new Theme(get("theme"));
  const failed = library.entries.filter((one) => one.failed).length;
  const seconds = library.entries.reduce((sum, one) => sum + (one.measured?.seconds ?? 0), 0);
  document.title = `${library.folder} – audiogen report`;
  get("title").textContent = library.folder;
  get("summary").textContent = [
    shownCount(library.byFile.size, "output"),
    failed && `${failed.toLocaleString("en")} failed`,
    seconds && (seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`),
  ].filter(Boolean).join(" · ");
  update();
  document.documentElement.dataset.ready = Math.round(performance.now());
}

/* The ways to sort, and a choice for each setting in which the outputs differ. */
function fillChoices(library, sort, facets) {
  const ways = { order: "Order made", prompt: "Prompt", seed: "Seed", file: "File name",
    seconds: "Length", loudness: "Loudness", peak: "Peak" };
  sort.append(...Object.entries(ways).map(([key, name]) => new Option(name, key)));
  sort.append(...library.facets.map(({ key }) => new Option(key, key)));
  for (const { key, values } of library.facets) {
    if (values.length > MAX_VALUES) continue;
    const label = Object.assign(document.createElement("label"), { className: "pick" });
    const select = document.createElement("select");
    select.dataset.key = key;
    select.append(new Option("any", ""), ...values.map((value) => new Option(value, value)));
    label.append(Object.assign(document.createElement("span"), { textContent: key }), " ", select);
    facets.append(label);
  }
}

/* Light or dark: as the system is, until somebody chooses. */
class Theme {
  constructor(button) {
    this.button = button;
    this.key = "audiogen report colours";
    this.system = matchMedia("(prefers-color-scheme: dark)");
    this.chosen = stored(this.key, null);
    this.system.addEventListener("change", () => this.#apply());
    button.addEventListener("click", () => this.toggle());
    this.#apply();
  }

  get dark() {
    return this.chosen === null ? this.system.matches : this.chosen === "dark";
  }

  toggle() {
    this.chosen = this.dark ? "light" : "dark";
    store(this.key, this.chosen);
    this.#apply();
  }

  #apply() {
    document.documentElement.dataset.theme = this.dark ? "dark" : "light";
    this.button.setAttribute("aria-pressed", this.dark);
  }
}

start();
