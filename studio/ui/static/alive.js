// Calls reach the server in the order of the clicks; a server that is gone is said, and so is that it came back
if (!window.crucible_calls) {
  window.crucible_calls = true;
  const WAIT = 20000, AGAIN = 2000;  // milliseconds: a call that long without an answer; between two looks
  const real = window.fetch.bind(window);
  let last = Promise.resolve(), gone = false, leaving = false;
  addEventListener('pagehide', () => { leaving = true; });
  addEventListener('pageshow', () => { leaving = false; });
  const words = () => document.querySelector('#say [data-gone]')?.dataset.gone || 'The studio does not answer.';
  const hush = () => {  // Gradio says the same in English
    for (const toast of document.querySelectorAll('.toast-body.error')) toast.style.setProperty('display', gone ? 'none' : '', 'important');
  };
  const back = () => { gone = false; document.querySelector('.gone')?.remove(); };
  const miss = () => {
    if (gone || leaving) return;
    gone = true;
    const box = Object.assign(document.createElement('p'), { className: 'gone', textContent: words() });
    box.setAttribute('role', 'alert');
    (document.querySelector('.gradio-container') || document.body).append(box);
    look();
  };
  const look = () => {
    if (!gone) return;
    hush();
    real('/gradio_api/app_id', { cache: 'no-store' }).then(back, () => setTimeout(look, AGAIN));
  };
  const sent = (what, how, patience) => {
    const slow = patience && setTimeout(miss, patience);
    const call = real(what, how);
    call.then(() => clearTimeout(slow), (error) => {
      clearTimeout(slow);
      if (error instanceof TypeError) real('/gradio_api/app_id', { cache: 'no-store' }).catch(miss);  // not a cut call
    });
    return call;
  };
  window.fetch = (what, how) => {
    const where = String(what?.url || what);
    if (!where.includes('/queue/join')) return where.includes('/gradio_api/') ? sent(what, how) : real(what, how);
    const call = last.then(() => sent(what, how, WAIT));  // Gradio sends each click as its own call, and the network mixes them
    last = Promise.race([call, new Promise((on) => setTimeout(on, WAIT))]).catch(() => {});
    return call;
  };
  new MutationObserver(() => {  // a toast is no button; that one stands inside it
    for (const head of document.querySelectorAll('.toast-header[role]')) { head.removeAttribute('role'); head.removeAttribute('tabindex'); }
    if (gone) hush();
  }).observe(document.body, { subtree: true, childList: true });
}
