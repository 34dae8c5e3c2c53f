// A picture of the film as large as the window, and from there the steps before and after it
const frames = () => [...element.querySelectorAll('.film [data-large]')];
const closed = () => { document.querySelector('.large')?.remove(); };
const enlarge = (index) => {
  const words = element.querySelector('.film').dataset;
  closed();
  const at = Object.assign(document.createElement('div'), { className: 'large', tabIndex: -1 });
  at.setAttribute('role', 'dialog'); at.setAttribute('aria-modal', 'true'); at.setAttribute('aria-label', words.name);
  const head = Object.assign(document.createElement('div'), { className: 'ln html-container' });
  const title = Object.assign(document.createElement('b'), { className: 'grow' });
  title.setAttribute('aria-live', 'polite');
  head.append(title);
  for (const [name, text, label] of [['before', '←', words.before], ['after', '→', words.after], ['close', words.close, words.close]]) {
    const one = Object.assign(document.createElement('button'), { type: 'button', textContent: text, className: 'bt' });
    one.dataset.do = name; one.setAttribute('aria-label', label);
    head.append(one);
  }
  const picture = document.createElement('img');
  at.append(head, picture, Object.assign(document.createElement('p'), { className: 'faint', textContent: words.keys }));
  (document.querySelector('.gradio-container') || document.body).append(at);
  const put = (to) => {  // the film may have grown, or be another one, by now
    const all = frames();
    index = Math.max(0, Math.min(to, all.length - 1));
    const frame = all[index];
    if (!frame) { closed(); return; }
    picture.src = frame.querySelector('img').src;
    picture.alt = title.textContent = [words.name, frame.nextElementSibling.textContent, frame.querySelector('img').alt].join(' · ');
    head.querySelector('[data-do=before]').disabled = index === 0;
    head.querySelector('[data-do=after]').disabled = index === all.length - 1;
  };
  const close = () => { closed(); frames()[index]?.focus(); };
  put(index); at.focus();
  at.addEventListener('click', (event) => {
    const what = event.target.closest('[data-do]')?.dataset.do;
    if (what === 'close' || event.target === at) close();
    else if (what) put(index + (what === 'before' ? -1 : 1));
  });
  at.addEventListener('keydown', (event) => {
    event.stopPropagation();
    const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (event.key === 'Escape') close();
    else if (by) { event.preventDefault(); put(index + by); }
    else if (event.key === 'Tab') {  // stays inside
      const all = [...at.querySelectorAll('button:not([disabled])')];
      event.preventDefault();
      all[(all.indexOf(document.activeElement) + (event.shiftKey ? -1 : 1) + all.length) % all.length]?.focus();
    }
  });
};
element.addEventListener('click', (event) => {
  const frame = event.target.closest('[data-large]');
  if (frame) enlarge(frames().indexOf(frame));
});
