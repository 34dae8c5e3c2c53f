() => {
  const tabs = () => [...document.querySelectorAll('#tabs > .tab-wrapper button[role=tab]')]
    .filter((tab) => !tab.closest('[aria-hidden=true]'));
  const names = ['dataset', 'methods', 'train', 'compare', 'library', 'system'];
  const keep = (name, value) => {
    document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=strict`;
  };
  window.crucible = {
    open(name) { const at = tabs()[names.indexOf(name)]; if (at) at.click(); },
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
    if (go) { event.preventDefault(); window.crucible.open(go.dataset.go); }
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
    const at = tabs().findIndex((tab) => tab.getAttribute('aria-selected') === 'true');
    if (at >= 0 && location.hash !== '#' + names[at]) history.replaceState(null, '', '#' + names[at]);
  };
  let tries = 0;
  const find = () => {
    if (tabs().length < names.length) { if (tries++ < 200) setTimeout(find, 50); return; }
    if (names.includes(wanted) && wanted !== 'dataset') window.crucible.open(wanted);
    const bar = document.querySelector('#tabs > .tab-wrapper');
    new MutationObserver(follow).observe(bar, { subtree: true, attributes: true, attributeFilter: ['aria-selected'] });
  };
  find();
}
