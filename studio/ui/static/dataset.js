const area = () => document.querySelector('#dataset_caption textarea');
const words = () => { const at = area(); return at ? { of: at.dataset.of, was: at.dataset.was, text: at.value } : {}; };
const form = (at) => {
  const found = {}, box = at.closest('[data-form]');
  for (const one of box ? box.querySelectorAll('[name]') : []) {
    if (one.type === 'radio' && !one.checked) continue;
    found[one.name] = one.type === 'checkbox' ? one.checked : one.value;
  }
  for (const one of box ? box.querySelectorAll('details[data-name]') : []) found[one.dataset.name] = one.open;
  return found;
};
const say = (act, at, more = {}) => trigger('click', { act, id: at.dataset.id || '', form: form(at), ...words(), ...more });

element.addEventListener('click', (event) => {
  const at = event.target.closest('[data-act]');
  if (!at || !element.contains(at) || at.disabled) return;
  say(at.dataset.act, at, { shift: event.shiftKey, ctrl: event.ctrlKey || event.metaKey });
});
element.addEventListener('change', (event) => {
  const at = event.target;
  if (at.matches('#dataset_caption textarea')) say('save', at);
  else if (at.dataset.change) say(at.dataset.change, at, { value: at.value });
  else if (at.closest('.tool[data-form]')) say('fill', at);
});
element.addEventListener('input', (event) => {
  const at = event.target, find = at.dataset.find;
  if (!find && at !== area()) return;
  clearTimeout(at.waiting);
  at.waiting = setTimeout(() => (find ? say(find, at, { value: at.value }) : say('typed', at)), find ? 200 : 350);
});
element.addEventListener('keydown', (event) => {
  const at = event.target;
  if (event.isComposing) return;
  if (event.key === 'Enter' && at.dataset.enter) {
    event.preventDefault(); say(at.dataset.enter, at);
    if (at.dataset.enter === 'chip_on') at.value = '';
  }
  if (at.matches('.diff textarea') && (event.key === 'Enter' || event.key === 'Escape')) {
    event.preventDefault();
    if (event.key === 'Escape') at.value = at.defaultValue;
    at.blur();
  }
  const ways = { ArrowLeft: 'left', ArrowRight: 'right', ArrowUp: 'up', ArrowDown: 'down' };
  if (at.matches('.crop') && ways[event.key] && !event.altKey) { event.preventDefault(); say('nudge', at, { id: ways[event.key] }); }
});

if (element.closest('#dataset_stage')) {
  document.addEventListener('keydown', (event) => {  // where nothing else is being typed
    const at = area(), here = document.querySelector('#dataset_stage .title');
    if (!here || !here.offsetParent || event.isComposing) return;
    const typing = event.target !== at && event.target.closest('input, textarea, select, [contenteditable]');
    if (event.altKey && !event.ctrlKey && (event.key === 'ArrowLeft' || event.key === 'ArrowRight')) {
      event.preventDefault(); clearTimeout(at && at.waiting); say('go', here, { id: event.key === 'ArrowLeft' ? '-1' : '1' });
    } else if ((event.ctrlKey || event.metaKey) && event.key === 'Enter' && at && !typing) {
      event.preventDefault(); clearTimeout(at.waiting); say('next', at); at.focus();
    }
  });
  let of = '', was = '', sent = '', node = null, typed = null;
  element.addEventListener('input', ({ target }) => {
    if (target === area()) typed = { of: target.dataset.of, text: target.value, place: target.selectionStart, when: Date.now() };
  });
  new MutationObserver(() => {  // a caption that was touched no longer follows its text by itself
    const at = area();
    if (!at) { of = ''; return; }
    const amid = at !== node && typed && typed.of === at.dataset.of && Date.now() - typed.when < 1000;
    if (amid && document.activeElement === document.body) {  // drawn anew while it was typed in: typing goes on
      at.value = typed.text;
      at.focus({ preventScroll: true }); at.setSelectionRange(typed.place, typed.place);
      at.waiting = setTimeout(() => say('typed', at), 350);
      of = at.dataset.of; was = at.dataset.was;  // what is typed is newer than what was drawn
    }
    node = at;
    if (at.dataset.of !== of || (at.dataset.was !== was && (document.activeElement !== at || at.value.trim() === at.dataset.was.trim()
      || at.value === sent))) { at.value = at.dataset.text; }
    if (at.dataset.of !== of || at.dataset.was !== was) sent = at.value;
    of = at.dataset.of; was = at.dataset.was;
  }).observe(element, { subtree: true, childList: true, attributes: true, characterData: true });
  element.addEventListener('pointerdown', (event) => {  // the crop follows the pointer, and is told when it is let go
    const crop = event.target.closest('.crop[data-crop="1"]');
    if (!crop) return;
    event.preventDefault();
    const frame = crop.closest('.frame'), box = frame.getBoundingClientRect(), style = frame.style;
    const read = (name) => parseFloat(style.getPropertyValue(name));
    const w = read('--w'), h = read('--h'), l = read('--l'), t = read('--t'), x = event.clientX, y = event.clientY;
    const within = (value, most) => Math.min(Math.max(value, 0), Math.max(most, 0));
    crop.setPointerCapture(event.pointerId);
    const move = (to) => {
      style.setProperty('--l', within(l + (to.clientX - x) / box.width, 1 - w));
      style.setProperty('--t', within(t + (to.clientY - y) / box.height, 1 - h));
    };
    const end = () => {
      crop.removeEventListener('pointermove', move);
      if (read('--l') !== l || read('--t') !== t) say('crop', crop, { x: read('--l') + w / 2, y: read('--t') + h / 2 });
    };
    crop.addEventListener('pointermove', move);
    crop.addEventListener('pointerup', end, { once: true });
    crop.addEventListener('pointercancel', end, { once: true });
  });
} else {
  let wording = null, typed = {}, opened = '', opener = '';
  const attend = () => {  // a tool that opens is led to, wherever on the page it was called; closed, it leads back
    const title = element.querySelector('.tool h2'), now = title ? title.textContent : '', at = document.activeElement;
    if (now === opened) return;
    opened = now;
    if (title) {
      if (at && at.dataset.act) opener = `[data-act="${at.dataset.act}"]${at.dataset.id ? `[data-id="${CSS.escape(at.dataset.id)}"]` : ''}`;
      title.tabIndex = -1; title.focus({ preventScroll: true });
      const { top } = title.getBoundingClientRect();
      if (top < 56 || top > innerHeight - 200) title.closest('.pan').scrollIntoView();
    } else if (opener && (at === document.body || element.contains(at))) document.querySelector(opener)?.focus({ preventScroll: true });
  };
  element.addEventListener('input', (event) => { if (event.target === wording) typed = { id: wording.dataset.id, text: wording.value }; });
  element.addEventListener('focusout', (event) => {  // a proposal was put in other words
    const at = event.target;
    if (!at.matches('.diff textarea')) return;
    setTimeout(() => {  // one that an older drawing took away was not left: it comes back
      if (!at.isConnected || at.value === at.sent) return;
      at.sent = at.value;
      say('reworded', at, { value: at.value });
    });
  });
  let rows = 0;  // that were there when more were asked for: the first new one is gone on at
  element.addEventListener('click', (event) => {
    if (event.target.closest('[data-act=reword]')) typed = {};
    if (event.target.closest('[data-act=further]')) rows = element.querySelectorAll('.diff').length;
  });
  new MutationObserver(() => {  // what a visitor touched no longer follows its attribute by itself
    attend();
    const fresh = rows && element.querySelectorAll('.diff')[rows];
    if (fresh) { rows = 0; fresh.tabIndex = -1; fresh.focus(); }
    for (const box of element.querySelectorAll('input[type=checkbox], input[type=radio]')) box.checked = box.hasAttribute('checked');
    for (const list of element.querySelectorAll('select')) {
      const chosen = list.querySelector('option[selected]');
      if (chosen) list.value = chosen.value;
    }
    const worded = element.querySelector('.diff textarea');
    if (worded && worded !== wording) {  // drawn anew, perhaps while it is typed in
      worded.value = worded.dataset.id === typed.id ? typed.text : worded.defaultValue;
      typed = { id: worded.dataset.id, text: worded.value };
      worded.focus();
    }
    wording = worded;
  }).observe(element, { subtree: true, childList: true, attributes: true, characterData: true });
}
