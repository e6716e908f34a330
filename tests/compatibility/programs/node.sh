# flags: --memory=256M
cat >program.js <<'J'
const fs = require('fs'), {execFile} = require('child_process');
const {Worker, isMainThread, parentPort} = require('worker_threads');
if (!isMainThread) { parentPort.postMessage(42); }
else {
  fs.writeFileSync('file', 'x'.repeat(100000));
  const tasks = [
    fs.promises.readFile('file').then(d => d.length === 100000),
    new Promise(done => execFile('/bin/echo', ['child'], (e, out) => done(!e && out === 'child\n'))),
    new Promise((done, fail) => { const w = new Worker(__filename); w.on('message', m => done(m === 42)); w.on('error', fail); }),
    new Promise(done => setTimeout(() => done(true), 5)),
    new Promise(done => require('zlib').gzip('x', e => done(!e))),
    new Promise(done => require('crypto').pbkdf2('a', 'b', 1000, 32, 'sha256', e => done(!e))),
  ];
  Promise.all(tasks).then(all => { console.log(JSON.stringify(all)); process.exit(all.every(Boolean) ? 0 : 1); });
}
J
node program.js
