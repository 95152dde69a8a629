"""`python -m edge_agent selftest`: does this machine see? Models, hashes and a real photograph, no server."""

from time import perf_counter

import click

from edge_agent.image_files import load_image
from edge_agent.loading import load_vehicle_detector, still_reading
from edge_agent.models.catalogue import CATALOGUE, SAMPLE_PHOTOGRAPH
from edge_agent.models.store import output, verify
from edge_agent.settings import EdgeSettings

SAMPLE_PLATE = "5AU5341"


@click.command("selftest")
def selftest() -> None:
    """Check the models' hashes, load the chosen adapters, and read a photograph whose plate is known."""
    settings = EdgeSettings()
    for source in CATALOGUE:
        verify(source)
        click.echo(f"ok  {source.label}: hashes match")
    reading = still_reading(settings)
    click.echo(f"ok  detector {reading.detector.name}, reader {reading.reader.name}")
    vehicles = load_vehicle_detector(settings)
    if vehicles is not None:
        click.echo(f"ok  vehicles {vehicles.name}")
    image = load_image(output(SAMPLE_PHOTOGRAPH, SAMPLE_PHOTOGRAPH.outputs[0]))
    reading.plates(image)
    start_s = perf_counter()
    plates = reading.plates(image)
    elapsed_ms = 1000 * (perf_counter() - start_s)
    texts = [plate.read.text for plate in plates if plate.read]
    if texts[:1] != [SAMPLE_PLATE]:
        raise click.ClickException(f"the sample photograph shows {SAMPLE_PLATE}, read was {texts}")
    click.echo(f"ok  sample photograph reads {SAMPLE_PLATE} in {elapsed_ms:.0f} ms")
