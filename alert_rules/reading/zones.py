"""Reads zones: in a rule, by name or as an area; and the named ones of a file, in the own form or as GeoJSON.

    zone: depot                                   zones:
    zone: [depot, port]                             depot: {polygon: [[52.5, 13.3], [52.5, 13.4], [52.6, 13.4]]}
    zone: {circle: {center: [52.5, 13.4], radius_m: 500}}   gates: {cameras: "gate-*"}

GeoJSON (RFC 7946) has longitude first; the name is the feature's ``name`` property or its id. Polygons, multi-polygons,
and points with a ``radius_m`` property count.
"""

from dataclasses import replace

from alert_rules import expectations as expect
from alert_rules.conditions.boolean import AnyOf
from alert_rules.conditions.zone import Zone
from alert_rules.document import Listing, Mapping, Node, Scalar
from alert_rules.errors import Place, Problems, RuleProblem, nearest, shown
from alert_rules.finding import Condition
from alert_rules.geometry import Circle, Point, Polygon, Ring, polygon, ring
from alert_rules.reading.definitions import definitions_of
from alert_rules.reading.places import read_places

KEYS = ("polygon", "holes", "circle", "cameras", "sites")
CIRCLE_KEYS = ("center", "radius_m")
GEO_TYPES = ("FeatureCollection", "Feature")
NAME_CHARS = 100
MAX_CORNERS = 1_000
MAX_RADIUS_M = 20_000_000.0
_cameras = read_places("camera_id")
_sites = read_places("site_id")


def read_zone(node: Node, problems: Problems) -> Condition:
    """A zone of a rule: a name, an area, or a list of them of which one is enough.

    Raises:
        RuleProblem: it is none of these, or an area that is none.
    """
    if isinstance(node, Listing):
        if not node.items:
            raise RuleProblem(node.place, "no zone is named")
        parts = []
        for each in node.items:
            with problems.collect():
                parts.append(read_zone(each, problems))
        return AnyOf(tuple(parts))
    if isinstance(node, Scalar):
        name = expect.text(node, "the name of a zone", limit=NAME_CHARS).strip()
        known = definitions_of(problems).zones
        if name not in known:
            hint = nearest(name, known) if known else "; no file defines zones"
            raise RuleProblem(node.place, f"no zone {shown(name)}{hint}")
        return known[name][0]
    return _area(node, problems)


def define_zones(node: Node, problems: Problems) -> None:
    """Put the zones of a ``zones:`` mapping among the definitions of the reading.

    Raises:
        RuleProblem: it is no mapping.
    """
    body = expect.mapping(node, "zones by name")
    for name, each in body.entries.items():
        with problems.collect():
            _define(name, _named(read_zone(each, problems), name), body.place_of(name), problems)


def define_features(root: Mapping, problems: Problems) -> None:
    """Put the features of a GeoJSON document among the definitions of the reading.

    Raises:
        RuleProblem: it is no such document.
    """
    features = [root]
    if expect.text(root.entries["type"], "'type'") == "FeatureCollection":
        nodes = expect.items(expect.required(root, "features", "a FeatureCollection"), "features")
        features = [expect.mapping(each, "a feature") for each in nodes]
    for feature in features:
        with problems.collect():
            name = _feature_name(feature)
            _define(name, _named(_geometry(feature, problems), name), feature.place, problems)


def _define(name: str, condition: Condition, place: Place, problems: Problems) -> None:
    zones = definitions_of(problems).zones
    if not name.strip() or len(name) > NAME_CHARS:
        raise RuleProblem(place, f"the name of a zone has 1 to {NAME_CHARS} characters")
    if name in zones:
        raise RuleProblem(place, f"zone {shown(name)} is defined already at {zones[name][1]}")
    zones[name] = (condition, place)


def _named(condition: Condition, name: str) -> Condition:
    if isinstance(condition, Zone):
        return replace(condition, name=name)
    if isinstance(condition, AnyOf):
        return AnyOf(tuple(_named(part, name) for part in condition.parts))
    return condition


def _area(node: Mapping, problems: Problems) -> Condition:
    expect.known_keys(node, KEYS, "'zone'", problems)
    kinds = [key for key in ("polygon", "circle", "cameras", "sites") if key in node.entries]
    if len(kinds) != 1 or ("holes" in node.entries and kinds != ["polygon"]):
        raise RuleProblem(
            node.place, "a zone has one of 'polygon' (with 'holes' or without), 'circle', 'cameras', 'sites'"
        )
    given = node.entries[kinds[0]]
    if kinds == ["cameras"]:
        return _cameras(given, problems)
    if kinds == ["sites"]:
        return _sites(given, problems)
    if kinds == ["circle"]:
        return Zone(_circle(expect.mapping(given, "'circle'"), problems))
    holes = expect.items(node.entries["holes"], "holes (rings of corners)") if "holes" in node.entries else []
    return Zone(_polygon([given, *holes], latitude_first=True))


def _circle(node: Mapping, problems: Problems) -> Circle:
    expect.known_keys(node, CIRCLE_KEYS, "'circle'", problems)
    lat, lon = _point(expect.required(node, "center", "'circle'"), latitude_first=True)
    return Circle(lat, lon, _radius_m(expect.required(node, "radius_m", "'circle'")))


def _radius_m(node: Node) -> float:
    radius_m = expect.number_between(node, "'radius_m'", 0.0, MAX_RADIUS_M)
    if radius_m == 0:
        raise RuleProblem(node.place, "'radius_m' must be more than 0")
    return radius_m


def _polygon(rings: list[Node], *, latitude_first: bool) -> Polygon:
    outer, *holes = [_ring(each, latitude_first=latitude_first) for each in rings]
    try:
        return polygon(outer, holes)
    except ValueError as error:
        raise RuleProblem(rings[0].place, f"no polygon: {error}") from None


def _ring(node: Node, *, latitude_first: bool) -> Ring:
    corners = expect.items(node, "corners such as [[52.5, 13.3], [52.5, 13.4], [52.6, 13.4]]")
    if len(corners) > MAX_CORNERS:
        raise RuleProblem(node.place, f"{len(corners):,} corners; a ring has at most {MAX_CORNERS:,}")
    points = [_point(each, latitude_first=latitude_first) for each in corners]
    try:
        return ring(points)
    except ValueError as error:
        raise RuleProblem(node.place, f"no polygon: {error}") from None


def _point(node: Node, *, latitude_first: bool) -> Point:
    """Latitude and longitude; GeoJSON has them the other way round, and perhaps a height."""
    order = "[latitude, longitude]" if latitude_first else "[longitude, latitude]"
    parts = expect.items(node, f"a point {order}")
    if len(parts) != 2 and (latitude_first or len(parts) != 3):
        raise RuleProblem(node.place, f"expected a point {order}, found {len(parts)} numbers")
    lat, lon = parts[:2] if latitude_first else (parts[1], parts[0])
    return (
        expect.number_between(lat, f"a latitude (the order is {order})", -90, 90),
        expect.number_between(lon, f"a longitude (the order is {order})", -180, 180),
    )


def _feature_name(feature: Mapping) -> str:
    properties = feature.entries.get("properties")
    if isinstance(properties, Mapping) and "name" in properties.entries:
        return expect.text(properties.entries["name"], "the feature's 'name'", limit=NAME_CHARS).strip()
    if "id" in feature.entries:
        return expect.text(feature.entries["id"], "the feature's 'id'", limit=NAME_CHARS).strip()
    raise RuleProblem(feature.place, "the feature has no 'name' among its properties, and no 'id'")


def _geometry(feature: Mapping, problems: Problems) -> Condition:
    body = expect.mapping(expect.required(feature, "geometry", "a feature"), "a geometry")
    kind = expect.choice(
        expect.required(body, "type", "a geometry"), "geometry", ("Polygon", "MultiPolygon", "Point")
    ).lower()
    coordinates = expect.required(body, "coordinates", "a geometry")
    if kind == "point":
        properties = expect.mapping(expect.required(feature, "properties", "a point that is a zone"), "properties")
        lat, lon = _point(coordinates, latitude_first=False)
        return Zone(Circle(lat, lon, _radius_m(expect.required(properties, "radius_m", "a point that is a zone"))))
    polygons = [coordinates] if kind == "polygon" else expect.items(coordinates, "polygons")
    zones: list[Condition] = []
    for each in polygons:
        with problems.collect():
            rings = expect.items(each, "rings")
            if not rings:
                raise RuleProblem(each.place, "a polygon without a ring")
            zones.append(Zone(_polygon(rings, latitude_first=False)))
    if not zones:
        raise RuleProblem(coordinates.place, "no polygon")
    return zones[0] if len(zones) == 1 else AnyOf(tuple(zones))
