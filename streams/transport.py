"""The transport ``runs+kafka://``: Faust's aiokafka driver that delivers runs and commits by checkpoint."""

from typing import Any

from faust.transport.drivers import aiokafka as driver

from streams.consumer import RunConsumer
from streams.options import RunOptions
from streams.producer import RunProducer


class RunTransport(driver.Transport):
    """Options stand in the broker URL; see `streams.options.RunOptions`."""

    Consumer = RunConsumer
    Producer = RunProducer

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.options = RunOptions.from_query(self.url[0].query)
