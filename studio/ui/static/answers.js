// Gradio ends its stream of answers when it owes none, and its client opens another with the next call. A call that the
// server took in the midst of that ending was never answered: the client thought the stream still open. Here the client
// reads one stream for good, which is fed from as many of the server's as it takes: one is asked for while any answer is owed.
{
  const real = window.fetch.bind(window);
  const owed = new Set(), early = new Set();  // calls without their answer; answers that came before their call's receipt
  let wake = () => {}, read = null;  // the stream that the client reads
  const taken = (id) => { if (!early.delete(id)) { owed.add(id); wake(); } };
  const answered = (id) => { if (!owed.delete(id)) early.add(id); };
  const pass = async (from, to) => {  // until the server ends it
    const text = from.body.pipeThrough(new TextDecoderStream()).getReader(), out = new TextEncoder();
    for (let rest = ''; ;) {
      const { value, done } = await text.read();
      if (done) return;
      const parts = (rest + value).split('\n\n');
      rest = parts.pop();
      for (const part of parts) {
        const said = JSON.parse(part.slice(part.indexOf('{')));
        if (said.msg === 'close_stream') continue;
        if (said.msg === 'process_completed') answered(said.event_id);
        to.enqueue(out.encode(`${part}\n\n`));
      }
    }
  };
  const feed = async (what, first, to) => {
    for (let now = first; ;) {
      await pass(now, to);
      while (!owed.size) await new Promise((on) => { wake = on; });
      now = await real(what.clone());
      if (!now.ok) throw new TypeError(`${now.status}`);
    }
  };
  const lasting = async (what) => {
    const first = await real(what.clone());
    if (!first.ok) return first;
    const start = (to) => {
      read = to;
      feed(what, first, to).catch((error) => { if (read === to) owed.clear(); to.error(error); });
    };
    return new Response(new ReadableStream({ start }), { headers: first.headers });
  };
  const join = async (what, how) => {
    const answer = await real(what, how);
    if (answer.ok) answer.clone().json().then(({ event_id }) => taken(event_id), () => {});
    return answer;
  };
  window.fetch = (what, how) => {
    const where = String(what?.url || what);
    if (where.includes('/queue/join')) return join(what, how);
    return where.includes('/queue/data') ? lasting(new Request(what, how)) : real(what, how);
  };
}
