"""Agents as servers have them: socat, which hands out a file's line to whoever connects."""
from namespaces import wait_until

PORT = 9707


class Agent:
    def __init__(self, world, server):
        self.world, self.server = world, world.servers[server]
        self.file = world.folder / f"{server}-agent.txt"
        self.process = None

    def start(self):
        self.process = self.world.process(
            f"{self.server.name}-agent", *self.server.namespace.command(
                "socat", f"TCP-LISTEN:{PORT},fork,reuseaddr", f"OPEN:{self.file},rdonly"))
        wait_until(f"the agent of {self.server.name} listens",
                   lambda: self.server.listens(PORT))

    def say(self, words):
        """From the next question on; never half of it."""
        new = self.file.with_suffix(".new")
        new.write_text(words + "\n")
        new.rename(self.file)

    def kill(self):
        self.process.kill()
        wait_until("nobody listens there", lambda: not self.server.listens(PORT))
