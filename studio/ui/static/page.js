() => {
  const bar = '#tabs > .tab-wrapper';
  const names = ['dataset', 'methods', 'train', 'compare', 'library', 'system'];
  const keep = (name, value) => {
    document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=strict`;
  };
  window.crucible = {
    open(name) {  // a narrow window keeps the last tabs in a menu, without their names
      const shown = document.querySelectorAll(`${bar} button[role=tab]`).length;
      const more = document.querySelectorAll(`${bar} .overflow-dropdown button`);
      const at = document.querySelector(`${bar} button[data-tab-id=${name}]`) || more[names.indexOf(name) - shown];
      if (at) at.click();
    },
    view(tab, name, tries = 0) {  // a tab's views are there some time after it was opened, and heed clicks later still
      const at = document.querySelector(`#${tab}_views button[data-tab-id=${name}]`);
      if (at?.getAttribute('aria-selected') === 'true') return;
      if (at) at.click();
      if (tries < 200) setTimeout(() => window.crucible.view(tab, name, tries + 1), 100);
    },
    language(lang) { keep('crucible_lang', lang); location.reload(); },
    theme(name) { keep('crucible_theme', name); location.reload(); },
    copy(text, button) {
      const done = () => { const was = button.textContent; button.textContent = button.dataset.done || was;
        setTimeout(() => { button.textContent = was; }, 1500); };
      if (navigator.clipboard && window.isSecureContext) { navigator.clipboard.writeText(text).then(done); return; }
      const area = Object.assign(document.createElement('textarea'), { value: text });
      document.body.append(area); area.select(); document.execCommand('copy'); area.remove(); done();
    },
    card(name, cancel, cancelled) {  // how far what is sent is, in sight on every tab
      const box = Object.assign(document.createElement('div'), { className: 'toastx bringx html-container' });
      box.setAttribute('role', 'status');
      box.innerHTML = '<span class="said"><b></b><small class="mute"></small><span class="track"><i></i></span></span><button type="button" class="bt small"></button>';
      const [title, line, track, button] = ['b', 'small', '.track', 'button'].map((part) => box.querySelector(part));
      title.textContent = name; button.textContent = cancel;
      button.addEventListener('click', () => { box.remove(); if (!box.classList.contains('err')) cancelled(); });
      document.querySelectorAll('.bringx').forEach((older) => older.remove());
      (document.querySelector('.gradio-container') || document.body).append(box);
      return {
        far(text, share, what = name) { title.textContent = what; line.textContent = text; track.firstChild.style.width = `${100 * share}%`; },
        failed(text, close) { box.classList.add('err'); box.setAttribute('role', 'alert'); track.remove(); line.textContent = text; button.textContent = close; },
        away() { box.remove(); },
      };
    },
  };
  document.addEventListener('click', (event) => {
    const go = event.target.closest('[data-go]');
    if (go) { event.preventDefault(); window.crucible.open(go.dataset.go); if (go.dataset.view) window.crucible.view(go.dataset.go, go.dataset.view); }
    const copy = event.target.closest('[data-copy]');
    if (copy) { window.crucible.copy(copy.dataset.copy, copy); }
    const lang = event.target.closest('[data-lang]');
    if (lang) { window.crucible.language(lang.dataset.lang); }
    const theme = event.target.closest('[data-theme]');
    if (theme) { window.crucible.theme(theme.dataset.theme || (document.body.classList.contains('dark') ? 'light' : 'dark')); }
  });
  const pressable = '[data-act], [data-go], [data-copy]';
  const named = (at) => ['act', 'id', 'go', 'view', 'copy'].map((key) => at.dataset[key]).join('\n');
  let down = null, where = null;  // a button that is drawn anew, or moved away, while it is held down is pressed all the same
  document.addEventListener('pointerdown', (event) => { down = event.button ? null : event.target.closest?.(pressable); where = event; }, true);
  document.addEventListener('pointerup', (event) => {
    const was = down, over = event.target.closest?.(pressable);
    down = null;
    if (!was || over === was) return;
    const stayed = Math.hypot(event.clientX - where.clientX, event.clientY - where.clientY) < 5;
    const all = stayed ? document.querySelectorAll(pressable) : [over];
    const at = was.isConnected ? stayed && was : [...all].find((one) => one && named(one) === named(was));
    if (at) at.click();
  }, true);
  document.addEventListener('input', (event) => {
    if (event.target.matches('.flip input')) {
      event.target.closest('.flip').style.setProperty('--x', event.target.value + '%');
    }
  });
  document.addEventListener('keydown', (event) => {
    const flip = document.querySelector('.flip input');
    if (flip && (event.key === 'x' || event.key === 'X') && !event.ctrlKey && !event.metaKey
        && !event.target.closest('input:not([type=range]), textarea')) {
      flip.value = flip.value > 50 ? 0 : 100;
      flip.dispatchEvent(new Event('input', { bubbles: true }));
    }
  });
  document.addEventListener('click', (event) => {  // asks before something goes; the page may be redrawn meanwhile
    const at = event.target.closest('[data-ask]');
    if (!at || at.dataset.sure) return;
    event.preventDefault(); event.stopImmediatePropagation();
    const box = Object.assign(document.createElement('dialog'), { className: 'ask' });
    const put = (tag, text, name, parent) => {
      const made = Object.assign(document.createElement(tag), { textContent: text, className: name });
      parent.append(made); return made;
    };
    put('p', at.dataset.ask, '', box);
    const row = put('div', '', '', box);
    const stay = put('button', at.dataset.no, 'stay', row), go = put('button', at.dataset.yes, 'go', row);
    const found = () => [...document.querySelectorAll(`[data-act="${at.dataset.act}"]`)].find((other) => other.dataset.id === at.dataset.id);
    stay.addEventListener('click', () => box.close());
    go.addEventListener('click', () => {
      const now = found(); box.close();
      if (now) { now.dataset.sure = '1'; now.click(); delete now.dataset.sure; }
    });
    box.addEventListener('close', () => { box.remove(); const now = found(); if (now) now.focus(); });
    document.body.append(box); box.showModal(); stay.focus();
  }, true);
  const groups = '[role=radiogroup], [data-rove], [role=tablist], .seg';  // one stop of the Tab key each; arrows move inside
  const members = (group) => [...group.querySelectorAll(group.dataset.rove || '[role=radio], [role=tab], input[type=radio]')]
    .filter((at) => !at.disabled && at.getAttribute('aria-disabled') !== 'true');
  const settle = () => {
    for (const group of document.querySelectorAll(groups)) {
      const all = members(group);
      const on = all.find((at) => at === document.activeElement) || all.find((at) => at.dataset.rover)
        || all.find((at) => (at.getAttribute('aria-checked') || at.getAttribute('aria-selected')) === 'true') || all[0];
      for (const at of all) {
        const index = at === on ? '0' : '-1';
        if (at.getAttribute('tabindex') !== index) at.setAttribute('tabindex', index);
      }
    }
  };
  let settling = 0;
  new MutationObserver(() => { cancelAnimationFrame(settling); settling = requestAnimationFrame(settle); })
    .observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ['tabindex', 'aria-checked', 'aria-selected'] });
  document.addEventListener('keydown', (event) => {
    const group = event.target.closest(groups), all = group ? members(group) : [];
    const at = all.indexOf(event.target);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const tops = all.map((one) => one.offsetTop), wide = Math.max(1, tops.filter((top) => top === tops[0]).length);
    const grid = group.dataset.rove && wide < all.length;
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: grid ? wide : 1, ArrowUp: grid ? -wide : -1, Home: -at, End: all.length - 1 - at }[event.key];
    const radio = all[at].matches('[role=radio], input[type=radio]');  // the choice follows the arrows, round and round
    const to = by === undefined ? undefined : all[radio ? (at + by + all.length) % all.length : at + by];
    if (!to) return;
    event.preventDefault();
    for (const one of all) delete one.dataset.rover;
    if (to.getAttribute('role') !== 'tab') to.dataset.rover = '1';  // Enter opens a tab; the stop stays at the open one
    to.focus(); settle();
    if (radio) to.click();
  });
  document.addEventListener('keydown', (event) => {  // to the search of what is shown
    if (event.key !== '/' || event.ctrlKey || event.target.closest('input, textarea, select')) return;
    const field = [...document.querySelectorAll('input[type=search]')].find((one) => one.offsetParent);
    if (field) { event.preventDefault(); field.focus(); }
  });
  const wanted = location.hash.slice(1);
  const follow = () => {
    const at = document.querySelector(`${bar} button[role=tab][aria-selected=true]`);
    if (at && location.hash !== '#' + at.dataset.tabId) history.replaceState(null, '', '#' + at.dataset.tabId);
  };
  let tries = 0;
  const find = () => {
    if (!document.querySelector(`${bar} button[role=tab]`)) { if (tries++ < 200) setTimeout(find, 50); return; }
    if (names.includes(wanted) && wanted !== 'dataset') window.crucible.open(wanted);
    new MutationObserver(follow).observe(document.querySelector(bar), { subtree: true, attributes: true, attributeFilter: ['aria-selected'] });
  };
  find();
}
