const WAYS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const rows = () => [...element.querySelectorAll('.gridx tbody tr')].map((row) => [...row.querySelectorAll('td')]);
const step = (cell, way) => {  // the next picture that way, past empty places
  const all = rows();
  let row = all.findIndex((cells) => cells.includes(cell.parentElement));
  let column = row < 0 ? -1 : all[row].indexOf(cell.parentElement);
  while (row >= 0) {
    row += way[0]; column += way[1];
    const place = all[row] && all[row][column];
    if (!place) return null;
    const found = place.querySelector('button.cell');
    if (found) return found;
  }
  return null;
};
element.addEventListener('keydown', (event) => {
  const cell = event.target.closest('button.cell');
  if (!cell) return;
  if (WAYS[event.key]) {
    const next = step(cell, WAYS[event.key]);
    event.preventDefault();
    if (next) { cell.tabIndex = -1; next.tabIndex = 0; next.focus(); }
  } else if (event.key === 'z' || event.key === 'Z') { event.preventDefault(); enlarge(cell); }
  else if (event.key === 'b' || event.key === 'B') {
    event.preventDefault();
    trigger('click', { act: 'pick', id: cell.dataset.id, shift: true, form: {} });
  }
});
element.addEventListener('dblclick', (event) => {
  const cell = event.target.closest('button.cell');
  if (cell) enlarge(cell);
});
let seen = null, plain = false;
const large = () => document.querySelector('.large');
const close = () => { large()?.remove(); if (seen?.isConnected) seen.focus(); };
const put = () => {
  const at = large();
  if (!at || !seen) return;
  const image = at.querySelector('img');
  image.src = plain && seen.dataset.plain ? seen.dataset.plain : seen.querySelector('img').src;
  const words = element.querySelector('.cwall').dataset;
  image.alt = at.ariaLabel = at.querySelector('b').textContent = plain ? `${words.base}: ${seen.dataset.say.split(' · ').slice(-2).join(' · ')}` : seen.dataset.say;
  at.querySelector('[data-do=plain]').setAttribute('aria-pressed', String(plain));
  at.querySelector('[data-do=plain]').hidden = !seen.dataset.plain;
};
const enlarge = (cell) => {
  seen = cell; plain = false;
  const words = element.querySelector('.cwall').dataset;
  large()?.remove();
  const at = Object.assign(document.createElement('div'), { className: 'large', tabIndex: -1 });
  at.setAttribute('role', 'dialog'); at.setAttribute('aria-modal', 'true');
  const key = (name, text, label) => {
    const one = Object.assign(document.createElement('button'), { type: 'button', textContent: text });
    one.dataset.do = name; one.setAttribute('aria-label', label || text); one.className = 'bt';
    return one;
  };
  const head = Object.assign(document.createElement('div'), { className: 'ln html-container' });
  const title = document.createElement('b');
  title.className = 'grow'; title.setAttribute('aria-live', 'polite');
  head.append(title, key('before', '←', words.before), key('after', '→', words.after), key('plain', words.base), key('close', words.close));
  const foot = Object.assign(document.createElement('p'), { className: 'faint', textContent: words.keys });
  at.append(head, document.createElement('img'), foot);
  (document.querySelector('.gradio-container') || document.body).append(at);
  put(); at.focus();
  at.addEventListener('click', (event) => {
    const what = event.target.closest('[data-do]')?.dataset.do;
    if (what === 'close' || event.target === at) close();
    else if (what === 'plain') { plain = !plain; put(); }
    else if (what) go(what === 'before' ? [0, -1] : [0, 1]);
  });
  at.addEventListener('keydown', (event) => {
    event.stopPropagation();
    if (event.key === 'Escape') close();
    else if (WAYS[event.key]) { event.preventDefault(); go(WAYS[event.key]); }
    else if (event.key === 'b' || event.key === 'B') { plain = !plain; put(); }
    else if (event.key === 'Tab') {  // stays inside
      const all = [...at.querySelectorAll('button:not([hidden])')];
      const next = all[(all.indexOf(document.activeElement) + (event.shiftKey ? -1 : 1) + all.length) % all.length];
      event.preventDefault(); next.focus();
    }
  });
};
const go = (way) => { const next = step(seen, way); if (next) { seen = next; put(); } };
document.addEventListener('click', (event) => {
  const name = event.target.closest('[data-large]')?.dataset.large;
  const cell = name && element.querySelector(`button.cell[data-id="${CSS.escape(name)}"]`);
  if (cell) enlarge(cell);
});
document.addEventListener('keydown', (event) => {  // 1, 2 and 0 answer the blind vote
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, textarea, select')) return;
  const at = element.offsetParent && element.querySelector(`.ballot [data-key="${CSS.escape(event.key)}"]`);
  if (at) { event.preventDefault(); at.click(); }
});
