"""An asyncio loop in a thread: where a lab's servers of our own run."""
import asyncio
import threading


async def _cancel_all():
    """Ends what still waits for somebody, so that a loop can stop in peace."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class Loop:
    def __init__(self, lab):
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda loop, context: None)  # clients come and go
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        lab.on_close(self.stop)

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def stop(self):
        asyncio.run_coroutine_threadsafe(_cancel_all(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
