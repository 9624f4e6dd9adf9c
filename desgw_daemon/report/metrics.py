"""Numbers for Prometheus: on an address of this host, and as a file for node_exporter.

What is shown was taken after a cycle: a question from outside costs no look at the database, nor at any tree. The
address is served by a thread of its own, and so is the file written, which may lie on a disk that hangs.

prometheus-client is imported here and nowhere else, and this module only when daemon.toml asks for numbers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from desgw_daemon.domain.metricnames import METRICS
from desgw_daemon.store.numbers import Sample


class Numbers(Collector):
    """The samples of the last cycle, as prometheus-client wants them. Replaced whole, so a reader sees one moment."""

    def __init__(self) -> None:
        self._samples: tuple[Sample, ...] = ()

    def take(self, samples: Iterable[Sample]) -> None:
        """From now on these."""
        self._samples = tuple(samples)

    def collect(self) -> Iterator[Metric]:
        """In the order of the catalogue; what has no value is left out."""
        samples = self._samples
        for metric in METRICS.values():
            of_this = [sample for sample in samples if sample.name == metric.name]
            if not of_this:
                continue
            if metric.kind == "info":
                info = InfoMetricFamily(metric.name.removesuffix("_info"), metric.help)
                for sample in of_this:
                    info.add_metric([], dict(zip(metric.labels, sample.labels, strict=True)))
                yield info
                continue
            family = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            shown = family(metric.name, metric.help, labels=metric.labels)
            for sample in of_this:
                shown.add_metric(sample.labels, sample.value)
            yield shown


class Exporter:
    """Serves and writes the numbers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._numbers = Numbers()
        self.registry.register(self._numbers)
        # With our prefix: node_exporter shows numbers of the same names of itself.
        ProcessCollector(namespace="desgw", registry=self.registry)
        self._server: WSGIServer | None = None
        self._writing: threading.Thread | None = None
        self._write_error: OSError | None = None

    def take(self, samples: Iterable[Sample]) -> None:
        """What is shown from now on."""
        self._numbers.take(samples)

    def serve(self, address: str) -> None:
        """Listen on HOST:PORT, once. Raises OSError while the port is taken: the next call tries again."""
        if self._server is not None:
            return
        host, _, port = address.rpartition(":")
        try:
            self._server, _ = start_http_server(int(port), host.strip("[]"), self.registry)
        except OSError as error:
            raise OSError(f"metrics.listen: nothing can be served on {address}: {error.strerror or error}") from error

    def write(self, path: Path) -> None:
        """Replace the file, in a thread. Raises OSError when the last time went wrong, or is not over yet."""
        if self._writing is not None and self._writing.is_alive():
            raise OSError(f"metrics.textfile: {path} is still being written: its disk does not answer")
        error, self._write_error = self._write_error, None
        self._writing = threading.Thread(target=self._write, args=(path,), name="metrics", daemon=True)
        self._writing.start()
        if error is not None:
            raise OSError(f"metrics.textfile: {path} cannot be written: {error.strerror or error}") from error

    def _write(self, path: Path) -> None:
        try:
            write_to_textfile(str(path), self.registry)
        except OSError as error:
            self._write_error = error
