# SPDX-License-Identifier: Apache-2.0
"""Serves SSH with paramiko or asyncssh: user admin, one password, one key, no shell.

    ssh_server.py LIBRARY PORT {"host_key": path, "authorized": path, "password": ..., "banner": ...}
"""
import asyncio, json, socket, sys, threading


def with_paramiko(port, o):
    import paramiko
    host_key = paramiko.Ed25519Key.from_private_key_file(o['host_key'])
    authorized = open(o['authorized']).read().split()[1]

    class Server(paramiko.ServerInterface):
        def get_allowed_auths(self, username):
            return 'password,publickey,keyboard-interactive'

        def get_banner(self):
            return (o.get('banner'), 'en-US')

        def check_auth_password(self, username, password):
            return paramiko.AUTH_SUCCESSFUL if password == o['password'] else paramiko.AUTH_FAILED

        def check_auth_publickey(self, username, key):
            return paramiko.AUTH_SUCCESSFUL if key.get_base64() == authorized else paramiko.AUTH_FAILED

        def check_auth_interactive(self, username, submethods):
            return paramiko.InteractiveQuery('', '', 'Password: ')

        def check_auth_interactive_response(self, responses):
            return paramiko.AUTH_SUCCESSFUL if responses == [o['password']] else paramiko.AUTH_FAILED

        def check_channel_request(self, kind, chanid):
            return paramiko.OPEN_SUCCEEDED if kind == 'session' else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

        def check_channel_exec_request(self, channel, command):
            threading.Timer(0.05, lambda: (channel.send_exit_status(0), channel.close())).start()
            return True

    def serve(conn):
        t = paramiko.Transport(conn)
        t.add_server_key(host_key)
        try:
            t.start_server(server=Server())
        except (paramiko.SSHException, EOFError):
            pass

    listener = socket.create_server(('', port))
    while True:
        serve_on, _ = listener.accept()
        threading.Thread(target=serve, args=(serve_on,), daemon=True).start()


def with_asyncssh(port, o):
    import asyncssh

    class Server(asyncssh.SSHServer):
        def connection_made(self, conn):
            self.conn = conn

        def begin_auth(self, username):
            if o.get('banner'):
                self.conn.send_auth_banner(o['banner'])
            return True

        def password_auth_supported(self):
            return True

        def validate_password(self, username, password):
            return password == o['password']

    async def run():
        await asyncssh.create_server(Server, '', port, server_host_keys=[o['host_key']], authorized_client_keys=o['authorized'],
                                     process_factory=lambda process: process.exit(0))
        await asyncio.Event().wait()

    asyncio.run(run())


if __name__ == '__main__':
    library, port, options = sys.argv[1:]
    {'paramiko': with_paramiko, 'asyncssh': with_asyncssh}[library](int(port), json.loads(options))
