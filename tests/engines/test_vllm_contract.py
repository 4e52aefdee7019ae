"""vLLM does what every engine must.

But for one check, which a model of noise cannot pass: told to call tools, and free to call several,
it writes calls until it is cut. ``test_vllm_answers`` has it call one, by its name.
"""

import asyncio

import aiohttp
import pytest
from vllm_served import CONTEXT, VllmEngine

from albert.serving.engines.vllm import UNABLE
from albert.testing.engine_contract import CHECKS, ServedEngine

pytest_plugins = ("vllm_fixtures",)

BEYOND_NOISE = {"calls_tools_or_says_that_it_cannot"}


@pytest.mark.parametrize("check", [check for check in CHECKS if check not in BEYOND_NOISE])
def test_vllm(vllm_engine: VllmEngine, check: str) -> None:
    async def scenario() -> None:
        async with aiohttp.ClientSession() as session:
            engine = ServedEngine(
                base_url=vllm_engine.base_url,
                model=vllm_engine.name,
                key=vllm_engine.key,
                session=session,
                unable=UNABLE,
                window=CONTEXT,
            )
            await CHECKS[check](engine)

    asyncio.run(scenario())
