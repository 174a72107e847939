/* Which outputs are marked: kept in the browser, where it lets us. */
class Marks extends EventTarget {
  constructor(library) {
    super();
    this.key = `audiogen report of ${location.pathname}`;
    this.kept = true;
    this.files = new Set(stored(this.key, []).filter((file) => library.byFile.has(file)));
  }

  has(file) {
    return this.files.has(file);
  }

  toggle(file) {
    if (!this.files.delete(file)) this.files.add(file);
    this.kept = store(this.key, [...this.files]);
    this.dispatchEvent(new Event("change"));
  }
}

/* What was stored under a key; some browsers store nothing for files, and say so by an error. */
function stored(key, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function store(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}
