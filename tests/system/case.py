"""What the system tests share: a world with both programs, and questions to it."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap  # noqa: E402,F401
from services import everything  # noqa: E402
from world import World, result  # noqa: E402


class Case(unittest.TestCase):
    """One world for all cases of a class."""
    workers, flows = 1, 65536
    dataplane_options = ()
    sided = False
    configuration = everything()

    @classmethod
    def setUpClass(cls):
        cls.world = World(cls.workers, flows=cls.flows,
                          dataplane_options=cls.dataplane_options).__enter__()
        cls.addClassCleanup(cls.world.close)
        cls.world.sided = cls.sided
        try:
            cls.world.start()
            cls.world.apply(cls.configuration)
        except Exception:
            print(cls.world.explain())
            raise

    def explain(self):
        return self.world.explain() + self.world.say_drops()

    def fine(self, client, seconds=30):
        """Waits for a client's end, or ends it; its report, which must be without failures."""
        status = client.wait(seconds) if seconds else client.stop()
        report = result(client)
        self.assertEqual([], report["failures"], f"{client.name}: {report['failed']} failures")
        self.assertEqual(0, status, client.tail())
        return report

    def stop(self, client):
        return self.fine(client, 0)
