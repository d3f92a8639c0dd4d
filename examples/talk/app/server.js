// A small browser/server application: it renders a page and asks the container "counter" for the visitor's number.
const dns = require('dns');
const fs = require('fs');
const http = require('http');
const os = require('os');
const mustache = require('mustache');

const template = fs.readFileSync('page.html', 'utf8');
const counter = process.env.COUNTER || 'http://counter/cgi-bin/next';

// The counter's name is resolved once: answers from then on need nothing but the counter itself.
const known = new Map();
function lookup(name, options, answer) {
  if (known.has(name)) return answer(null, ...known.get(name));
  return dns.lookup(name, options, (error, ...address) => {
    if (!error) known.set(name, address);
    answer(error, ...address);
  });
}

function nextVisitor(answer) {
  const request = http.get(counter, {lookup}, (response) => {
    let text = '';
    response.on('data', (piece) => { text += piece; });
    response.on('end', () => answer(null, text.trim()));
  });
  request.setTimeout(3000, () => request.destroy(new Error('the counter does not answer')));
  request.on('error', (error) => answer(error));
}

http.createServer((request, response) => {
  nextVisitor((error, visitor) => {
    if (error) {
      response.writeHead(502, {'Content-Type': 'text/plain'});
      response.end(`counter: ${error.message}\n`);
      return;
    }
    console.log(`${request.method} ${request.url} visitor ${visitor}`);
    response.writeHead(200, {'Content-Type': 'text/html; charset=utf-8'});
    response.end(mustache.render(template, {
      visitor, hostname: os.hostname(), node: process.version, boats: ['junk', 'lorcha', 'sampan'],
    }));
  });
}).listen(8000, () => console.log('harbour listens on 8000'));

process.on('SIGTERM', () => process.exit(0));
