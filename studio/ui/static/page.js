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
    view(tab, name, tries = 0) {  // a tab's views are there once it was opened
      const at = document.querySelector(`#${tab}_views button[data-tab-id=${name}]`);
      if (at) at.click(); else if (tries < 40) setTimeout(() => window.crucible.view(tab, name, tries + 1), 50);
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
