"""A resources server for NeMo Gym. In its own `app.py`:

    import assay.nemo_gym
    Server = assay.nemo_gym.server("math")
    if __name__ == "__main__":
        Server.run_webserver()

Without NeMo Gym's package, `assay serve` answers /verify and /seed_session over HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ._rubric import RubricLike, as_rubric
from ._score import score


def text_of_response(response: Mapping[str, Any]) -> str:
    """The assistant's text of an OpenAI Responses object, behind its reasoning in think tags where there is some."""
    texts: list[str] = []
    thoughts: list[str] = []
    for item in response.get("output") or ():
        if item.get("type") == "message" and item.get("role", "assistant") == "assistant":
            content = item.get("content")
            parts = [content] if isinstance(content, str) else [str(part.get("text", "")) for part in content or ()]
            texts.append("".join(parts))
        elif item.get("type") == "reasoning":
            thoughts += [str(part.get("text", "")) for part in (item.get("summary") or item.get("content") or ())]
    text = "\n\n".join(texts)
    thought = "\n".join(one for one in thoughts if one)
    return f"<think>\n{thought}\n</think>\n{text}" if thought and "<think>" not in text else text


def _row(body: Mapping[str, Any]) -> dict[str, Any]:
    row = {key: value for key, value in body.items() if key not in ("responses_create_params", "response", "completion", "completions")}
    metadata = row.pop("verifier_metadata", None)
    if isinstance(metadata, Mapping):
        row.update({key: value for key, value in metadata.items() if key not in row})
    given = (body.get("responses_create_params") or {}).get("input")
    if isinstance(given, str):
        row["prompt"] = given
    elif isinstance(given, list):
        row["prompt"] = [message for message in given if isinstance(message, Mapping) and "role" in message]
    row["completion"] = text_of_response(body.get("response") or {})
    if row.get("task") is None:
        row["task"] = "code" if row.get("verification_info") else "math"
    return row


def verify(body: Mapping[str, Any], rubric: RubricLike = None) -> dict[str, Any]:
    """The answer to one /verify: the body with `reward`. What was not scored has 0.0, `mask_sample` true and a `failure_reason`."""
    result = score([_row(body)], as_rubric(rubric), jobs=1)
    reward, reason = result.rewards[0], result.reasons[0]
    out = {**body, "reward": 0.0 if reward is None else float(reward), "mask_sample": reward is None}
    if reward is None:
        out["failure_reason"] = reason
    return out


def server(rubric: RubricLike = None) -> type[Any]:
    """A SimpleResourcesServer class whose /verify scores with this rubric."""
    from nemo_gym.base_resources_server import BaseVerifyRequest, BaseVerifyResponse, SimpleResourcesServer
    from pydantic import ConfigDict

    judge = as_rubric(rubric)

    class AssayVerifyRequest(BaseVerifyRequest):  # type: ignore[misc, unused-ignore]
        model_config = ConfigDict(extra="allow")

    class AssayVerifyResponse(BaseVerifyResponse):  # type: ignore[misc, unused-ignore]
        model_config = ConfigDict(extra="allow")

    class AssayResourcesServer(SimpleResourcesServer):  # type: ignore[misc, unused-ignore]
        async def verify(self, body: AssayVerifyRequest) -> AssayVerifyResponse:
            answer = await asyncio.to_thread(verify, body.model_dump(), judge)
            return AssayVerifyResponse(**answer)

    # FastAPI reads the annotations, which are names of this function's scope.
    AssayResourcesServer.verify.__annotations__ = {"body": AssayVerifyRequest, "return": AssayVerifyResponse}
    return AssayResourcesServer
