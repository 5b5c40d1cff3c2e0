# SPDX-License-Identifier: Apache-2.0
"""Logs in over Telnet, FTP, HTTP or Redis, with several tries on one connection.

    clear_client.py telnet|ftp|http|redis HOST PORT {"tries": [[user, password], ...], ...}

Exit status 0 if the last try was accepted, 1 if not. More options: telnet: "how" is line, keys (one segment a key, with the echo of the
server) or pty (the program telnet); http: "scheme" is Basic or Digest; redis: "commands" in place of "tries".
"""
import base64, ftplib, hashlib, http.client, json, os, pty, re, socket, sys, time

IAC, DONT, DO, WONT, WILL = 255, 254, 253, 252, 251
ECHO, SGA = 1, 3


class Telnet:
    """A client that accepts ECHO and SGA if it sends single keys, and refuses every other option (RFC 854)."""

    def __init__(self, host, port, how):
        self.s, self.keys, self.raw = socket.create_connection((host, port), 20), how == 'keys', b''

    def read(self):
        self.raw += self.s.recv(4096) or exit_closed()
        text = b''
        while self.raw:
            if self.raw[0] != IAC:
                text, self.raw = text + self.raw[:1], self.raw[1:]
            elif len(self.raw) < 3:
                break
            else:
                verb, option, self.raw = self.raw[1], self.raw[2], self.raw[3:]
                accept = self.keys and option in (ECHO, SGA)
                if verb == WILL:
                    self.s.sendall(bytes([IAC, DO if accept else DONT, option]))
                elif verb == DO:
                    self.s.sendall(bytes([IAC, WILL if accept and option == SGA else WONT, option]))
        return text

    def line(self, text):
        if not self.keys:
            return self.s.sendall(text.encode() + b'\r\n')
        for c in text.encode() + b'\r':
            self.s.sendall(bytes([c]) if c != 13 else b'\r\0')
            time.sleep(0.02)


class Terminal:
    """The program telnet on a pseudo-terminal."""

    def __init__(self, host, port, _):
        pid, self.fd = pty.fork()
        if pid == 0:
            os.execvp('telnet', ['telnet', host, str(port)])

    def read(self):
        try:
            return os.read(self.fd, 4096) or exit_closed()
        except OSError:
            exit_closed()

    def line(self, text):
        os.write(self.fd, text.encode() + b'\r')


def exit_closed():
    sys.exit(1)


def telnet(host, port, o):
    t = (Terminal if o['how'] == 'pty' else Telnet)(host, port, o['how'])

    def until(*ends):
        seen = b''
        while True:
            seen = (seen + t.read()).replace(b'\x1b[6n', b'')  # busybox asks where the cursor is
            for e in ends:
                if seen.endswith(e):
                    return e

    inside = (b'# ', b'$ ')
    at = until(b'login: ', *inside)
    for user, password in o['tries']:
        if at in inside:
            break
        t.line(user)
        if until(b'assword: ', *inside) in inside:
            at = inside[0]
            break
        t.line(password)
        at = until(b'login: ', *inside)
    if at in inside:
        t.line('echo a b')
        until(*inside)
        t.line('exit')
        time.sleep(0.2)
    return at in inside


def ftp(host, port, o):
    f, let_in = ftplib.FTP(), False
    f.connect(host, port, 20)
    for user, password in o['tries']:
        try:
            f.login(user, password)
            let_in = True
        except ftplib.error_perm:
            let_in = False
    if let_in:
        f.voidcmd('NOOP')
    f.close()
    return let_in


def digest(challenge, user, password, uri):
    field = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    md5 = lambda s: hashlib.md5(s.encode()).hexdigest()
    proof = md5(':'.join([md5(f'{user}:{field["realm"]}:{password}'), field['nonce'], '00000001', 'ab', 'auth', md5('GET:' + uri)]))
    return (f'Digest username="{user}", realm="{field["realm"]}", nonce="{field["nonce"]}", uri="{uri}", algorithm=MD5, '
            f'qop=auth, nc=00000001, cnonce="ab", response="{proof}"')


def web(host, port, o):
    c, status, challenge = http.client.HTTPConnection(host, port, timeout=20), 0, ''

    def get(headers):
        c.request('GET', '/secret/', headers=headers)
        r = c.getresponse()
        r.read()
        return r.status, r.getheader('WWW-Authenticate', '')

    if o['scheme'] == 'Digest':
        status, challenge = get({})
    for user, password in o['tries']:
        if o['scheme'] == 'Digest':
            value = digest(challenge, user, password, '/secret/')
        else:
            value = 'Basic ' + base64.b64encode(f'{user}:{password}'.encode()).decode()
        status, challenge = get({'Authorization': value})
    return status == 200


def redis(host, port, o):
    s = socket.create_connection((host, port), 20)
    f, reply = s.makefile('rb'), b''

    def value():
        line = f.readline() or exit_closed()
        n = int(line[1:]) if line[:1] in b'$*%' else 0
        if line[:1] == b'$' and n >= 0:
            return f.read(n + 2)[:n]
        for _ in range(n * {b'%': 2}.get(line[:1], 1) if line[:1] in b'*%' else 0):
            value()
        return line.strip()

    def packed(c):
        return b'*%d\r\n' % len(c) + b''.join(b'$%d\r\n%s\r\n' % (len(a), a.encode()) for a in c)

    if o.get('pipeline'):
        s.sendall(b''.join(packed(c) for c in o['commands']))
    for i, c in enumerate(o['commands']):
        if not o.get('pipeline'):
            s.sendall(packed(c) if i == 0 or not o.get('inline') else ' '.join(c).encode() + b'\r\n')
        reply = value()
    return reply == b'+PONG'


if __name__ == '__main__':
    what, host, port, options = sys.argv[1:]
    sys.exit(not {'telnet': telnet, 'ftp': ftp, 'http': web, 'redis': redis}[what](host, int(port), json.loads(options)))
