element.addEventListener('change', (event) => {
  const at = event.target.closest('[data-set]');
  if (!at) return;
  const kind = at.closest('[data-kind]').dataset.kind;  // what the visitor saw, whatever was clicked meanwhile
  trigger('click', { act: 'set', id: at.dataset.set, kind, value: at.type === 'checkbox' ? at.checked : at.value });
});
element.addEventListener('input', (event) => {
  const at = event.target.closest('[data-find]');
  if (!at) return;
  clearTimeout(at.waiting);
  at.waiting = setTimeout(() => trigger('click', { act: 'find', id: at.value }), 150);
});
new MutationObserver(() => {  // what a visitor touched no longer follows its attribute by itself
  for (const box of element.querySelectorAll('input[type=checkbox]')) box.checked = box.hasAttribute('checked');
  for (const list of element.querySelectorAll('select')) {
    const chosen = list.querySelector('option[selected]');
    if (chosen) list.value = chosen.value;
  }
  for (const text of element.querySelectorAll('textarea')) {
    if (text !== document.activeElement) text.value = text.textContent;
  }
}).observe(element, { subtree: true, childList: true, attributes: true, characterData: true });
element.addEventListener('click', (event) => {  // what was reset keeps the focus that its sign had
  const field = event.target.closest('[data-act=reset]')?.closest('.fd')?.querySelector('[data-set]:not([type=range])');
  field?.focus({ preventScroll: true });
});
