// SPDX-License-Identifier: Apache-2.0
// A Node.js server: node origin.js PORT
//   GET /bytes/N  N bytes with Content-Length, /chunked/N in chunks, both with X-Sha256
//   GET /slow/N   N bytes in 10 pieces, 100 ms apart
//   PUT, POST     answers the length and SHA-256 of the body; /late reads nothing for half a second first
//   GET /early    answers 413 without reading the body
'use strict';
const http = require('http');
const crypto = require('crypto');

const unit = Buffer.from(Array.from({length: 65000}, (_, i) => i * 7 % 251));

function piece(at, n) {
	return unit.subarray(0, Math.min(unit.length, n - at));
}

function digest(n) {
	const hash = crypto.createHash('sha256');
	for (let at = 0; at < n; at += unit.length)
		hash.update(piece(at, n));
	return hash.digest('hex');
}

function send(res, n) {
	let at = 0;
	function more() {
		while (at < n) {
			const p = piece(at, n);
			at += p.length;
			if (!res.write(p)) {
				res.once('drain', more);
				return;
			}
		}
		res.end();
	}
	more();
}

function sendSlowly(res, n) {
	let i = 0;
	const timer = setInterval(() => {
		const from = Math.floor(n * i / 10), to = Math.floor(n * ++i / 10);
		res.write(Buffer.alloc(to - from, 'x'));
		if (i === 10) {
			clearInterval(timer);
			res.end();
		}
	}, 100);
	res.on('close', () => clearInterval(timer));
}

function receive(req, res) {
	const hash = crypto.createHash('sha256');
	let n = 0;
	req.on('data', (d) => {
		hash.update(d);
		n += d.length;
	});
	req.on('end', () => res.end(n + ' ' + hash.digest('hex')));
}

const server = http.createServer((req, res) => {
	const [, kind, count] = req.url.split('/');
	const n = Number(count) || 0;
	if (kind === 'early') {
		res.writeHead(413, {'Content-Length': 4});
		res.end('late');
	} else if (req.method === 'PUT' || req.method === 'POST') {
		if (kind === 'late')
			setTimeout(() => receive(req, res), 500);
		else
			receive(req, res);
	} else if (kind === 'bytes' || kind === 'chunked') {
		const head = {'X-Sha256': digest(n)};
		if (kind === 'bytes')
			head['Content-Length'] = n;
		res.writeHead(200, head);
		send(res, n);
	} else if (kind === 'slow') {
		res.writeHead(200);
		sendSlowly(res, n);
	} else {
		res.end('node ' + req.url);
	}
});
server.keepAliveTimeout = 1000;
server.listen(Number(process.argv[2]), '127.0.0.1');
