"""Give a new cloud what a first runbook finds in any other: flavors, an image, and a network that leads outside.

``python -m runbook_cloud.seed`` reads JSON: the administrator's settings, the range of the network, and the image.
"""

from __future__ import annotations

import ipaddress
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openstack

#: Name, memory in mebibytes, processors, disk in gibibytes; as DevStack has them.
FLAVORS = (("m1.tiny", 512, 1, 1), ("m1.small", 2048, 1, 20), ("m1.medium", 4096, 2, 40), ("m1.large", 8192, 4, 80))
NETWORK = "public"
# Of the network's addresses, the first belongs to the machine, and some more are left for whoever wants one.
FIRST = 10


def main() -> None:
    """Do it as soon as each service answers, and print the ID of the network that leads outside."""
    given = json.load(sys.stdin)
    with openstack.connect(**given["settings"], load_yaml_config=False, load_envvars=False) as cloud:
        cloud.authorize()
        with ThreadPoolExecutor() as pool:
            network = pool.submit(_network, cloud, given["network"])
            for part in (pool.submit(_flavors, cloud), pool.submit(_image, cloud, given["image"])):
                part.result()
            print(network.result(), end="")  # noqa: T201 -- it is a program


def _flavors(cloud: Any) -> None:
    for name, memory, processors, disk in FLAVORS:
        cloud.compute.create_flavor(name=name, ram=memory, vcpus=processors, disk=disk)


def _image(cloud: Any, image: dict[str, Any]) -> None:
    cloud.image.create_image(
        name=image["name"],
        disk_format="raw",
        container_format="bare",
        visibility="public",
        data=image["text"].encode(),
        **image["properties"],
    )


def _network(cloud: Any, cidr: str) -> str:
    network = cloud.network.create_network(
        name=NETWORK, is_router_external=True, provider_network_type="flat", provider_physical_network=NETWORK
    )
    addresses = list(ipaddress.ip_network(cidr).hosts())
    cloud.network.create_subnet(
        name=f"{NETWORK}-subnet",
        network_id=network.id,
        ip_version=4,
        cidr=cidr,
        gateway_ip=str(addresses[0]),
        allocation_pools=[{"start": str(addresses[FIRST - 1]), "end": str(addresses[-1])}],
        enable_dhcp=False,
    )
    return str(network.id)


if __name__ == "__main__":
    main()
