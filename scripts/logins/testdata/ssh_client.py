# SPDX-License-Identifier: Apache-2.0
"""Logs in over SSH with paramiko or asyncssh.

    ssh_client.py LIBRARY HOST PORT {"tries": [...], "key": path, "method": "password|keyboard-interactive|key", "cipher": ..., "mac": ..., "compress": bool,
                                     "then": "command|leave|channel"}

Exit status 0 if it was let in, 1 if not. `then` is what follows: a command, nothing, or a channel although it was refused.
"""
import asyncio, json, sys


def with_paramiko(host, port, o):
    import paramiko
    t = paramiko.Transport((host, port))
    security = t.get_security_options()
    if o.get('cipher'):
        security.ciphers = [o['cipher']]
    if o.get('mac'):
        security.digests = [o['mac']]
    if o.get('compress'):
        t.use_compression(True)
    t.start_client(timeout=20)
    left = list(o.get('tries') or [None])
    while left:
        word = left.pop(0)
        try:
            if o['method'] == 'password':
                t.auth_password('admin', word)
            elif o['method'] == 'keyboard-interactive':
                t.auth_interactive('admin', lambda title, instructions, prompts: [word] * len(prompts))
            else:
                t.auth_publickey('admin', paramiko.Ed25519Key.from_private_key_file(o['key']))
        except (paramiko.SSHException, EOFError):
            pass
        if t.is_authenticated() or not t.is_active():
            break
    inside = t.is_authenticated()
    if inside and o['then'] == 'command' or o['then'] == 'channel':
        try:
            c = t.open_session(timeout=10)
            c.exec_command('true')
            c.recv_exit_status()
        except (paramiko.SSHException, EOFError):
            pass
    t.close()
    return inside


def with_asyncssh(host, port, o):
    import asyncssh
    left = list(o.get('tries') or [])

    class Client(asyncssh.SSHClient):
        def password_auth_requested(self):
            return left.pop(0) if o['method'] == 'password' and left else None

        def kbdint_auth_requested(self):
            return '' if o['method'] == 'keyboard-interactive' and left else None

        def kbdint_challenge_received(self, name, instructions, lang, prompts):
            return [left.pop(0) for _ in prompts] if left or not prompts else None

    async def talk():
        extra = {}
        if o.get('cipher'):
            extra['encryption_algs'] = [o['cipher']]
        if o.get('mac'):
            extra['mac_algs'] = [o['mac']]
        if o.get('compress'):
            extra['compression_algs'] = ['zlib@openssh.com']
        keys = [o['key']] if o['method'] == 'key' else None
        c, _ = await asyncssh.create_connection(Client, host, port, username='admin', known_hosts=None, client_keys=keys, agent_path=None, config=None, **extra)
        if o['then'] == 'command':
            await c.run('true')
        c.close()
        await c.wait_closed()

    try:
        asyncio.run(talk())
    except asyncssh.Error:
        return False
    return True


if __name__ == '__main__':
    library, host, port, options = sys.argv[1:]
    sys.exit(not {'paramiko': with_paramiko, 'asyncssh': with_asyncssh}[library](host, int(port), json.loads(options)))
