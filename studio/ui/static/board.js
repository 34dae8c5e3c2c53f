const filled = () => {  // what stands in the fields of this tab, by name; boxes that share a name make a list
  const found = {};
  for (const at of (element.closest('.tabitem') || element).querySelectorAll('.html-container [name]')) {
    if (at.type === 'checkbox') { found[at.name] = found[at.name] || []; if (at.checked) found[at.name].push(at.value); }
    else found[at.name] = at.value;
  }
  return found;
};
let last = '';  // what was pressed or has the focus: drawn anew, it has the focus again
const found_by = (at) => ['act', 'change'].filter((kind) => at.dataset[kind]).map((kind) =>
  `[data-${kind}="${at.dataset[kind]}"]${at.dataset.id ? `[data-id="${CSS.escape(at.dataset.id)}"]` : ''}`)[0] || '';
document.addEventListener('focusin', ({ target }) => { last = element.contains(target) ? found_by(target) : ''; });
document.addEventListener('pointerdown', ({ target }) => { if (!element.contains(target)) last = ''; });
const say = (at, act, more = {}) => {
  last = found_by(at);
  trigger('click', { act, id: at.dataset.id || '', form: filled(), ...more });
};
element.addEventListener('click', (event) => {
  const at = event.target.closest('[data-act]');
  if (!at || !element.contains(at) || at.disabled) return;
  say(at, at.dataset.act, { shift: event.shiftKey });
});
element.addEventListener('change', (event) => {
  const at = event.target.closest('[data-change]');
  if (at) say(at, at.dataset.change, { value: at.type === 'checkbox' ? at.checked : at.value });
});
element.addEventListener('input', (event) => {
  const beside = event.target.type === 'range' && event.target.parentElement.querySelector('output');
  if (beside && event.target.nextElementSibling === beside) beside.textContent = event.target.value;
  else if (event.target.type === 'range' && event.target.nextElementSibling?.tagName === 'OUTPUT') {
    event.target.nextElementSibling.textContent = event.target.value;
  }
  const at = event.target.closest('[data-find]');
  if (!at) return;
  clearTimeout(at.waiting);
  at.waiting = setTimeout(() => say(at, 'find', { value: at.value }), 200);
});
element.addEventListener('keydown', (event) => {
  const at = event.target.closest('[data-act]');
  if (at && at.tagName !== 'BUTTON' && (event.key === ' ' || event.key === 'Enter')) { event.preventDefault(); at.click(); }
});
new MutationObserver(() => {
  if (last && (document.activeElement === document.body || !document.activeElement)) element.querySelector(last)?.focus({ preventScroll: true });
}).observe(element, { subtree: true, childList: true });
new MutationObserver(() => {  // what a visitor touched no longer follows its attribute by itself
  const auto = element.querySelector('[data-auto]');  // what was asked for leads elsewhere, once
  if (auto && window.crucible_led !== auto.dataset.auto) {
    window.crucible_led = auto.dataset.auto;
    setTimeout(() => element.querySelector('[data-auto]')?.click());  // it may be drawn anew by then
  }
  for (const box of element.querySelectorAll('input[type=checkbox]')) box.checked = box.hasAttribute('checked');
  for (const list of element.querySelectorAll('select')) {
    const chosen = list.querySelector('option[selected]');
    if (chosen && list !== document.activeElement) list.value = chosen.value;
  }
  for (const text of element.querySelectorAll('textarea')) {
    if (text !== document.activeElement) text.value = text.textContent;
  }
  for (const text of element.querySelectorAll('input[type=text], input[type=range]')) {
    if (text !== document.activeElement) text.value = text.getAttribute('value') || '';
  }
}).observe(element, { subtree: true, childList: true, attributes: true, attributeFilter: ['checked', 'value', 'selected'] });
if (!window.crucible_tips) {  // one tip for the whole page: a table that scrolls would cut it off
  window.crucible_tips = true;
  const tip = Object.assign(document.createElement('div'), { className: 'tip', role: 'tooltip' });
  const show = (event) => {
    const at = event.target.closest?.('[data-tip]');
    if (!at || !at.dataset.tip) { tip.remove(); return; }
    (document.querySelector('.gradio-container') || document.body).append(tip);
    tip.textContent = at.dataset.tip;
    const place = at.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(place.left, innerWidth - tip.offsetWidth - 8))}px`;
    const below = place.bottom + 6 + tip.offsetHeight < innerHeight;
    tip.style.top = `${below ? place.bottom + 6 : place.top - 6 - tip.offsetHeight}px`;
  };
  document.addEventListener('mouseover', show);
  document.addEventListener('focusin', show);
  document.addEventListener('focusout', () => tip.remove());
  document.addEventListener('keydown', (event) => { if (event.key === 'Escape') tip.remove(); });
}
