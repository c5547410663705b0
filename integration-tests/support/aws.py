"""What Amazon's own SDK makes of requests and answers: signatures, service model, event stream."""

import base64
import json
import struct
import zlib

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.model
import botocore.serialize
import botocore.session
import botocore.validate

from .scripted import body_of

KEY = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//token=="
SERVICE = botocore.session.get_session().get_service_model("bedrock-runtime")


def signature(record: dict, region: str, token: str | None = None) -> tuple[str, str]:
    """The signature that a request came with, and the one that the SDK's signer makes of the same request."""
    headers = dict(record["headers"])
    scheme, fields = headers["authorization"].split(" ", 1)
    assert scheme == "AWS4-HMAC-SHA256"
    said = dict(field.strip().split("=", 1) for field in fields.split(","))
    date = headers["x-amz-date"]
    assert said["Credential"] == f"{KEY}/{date[:8]}/{region}/bedrock/aws4_request"
    signed = said["SignedHeaders"].split(";")
    assert {"host", "x-amz-date"} <= set(signed)
    assert headers.get("x-amz-security-token") == token
    assert ("x-amz-security-token" in signed) == (token is not None)
    request = botocore.awsrequest.AWSRequest(
        method=record["method"],
        url=f"http://{headers['host']}{record['target']}",
        data=body_of(record),
        headers={name: headers[name] for name in signed if name != "host"},
    )
    request.context["timestamp"] = date
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(KEY, SECRET, token), "bedrock", region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return said["Signature"], signer.signature(text, request)


def check(operation: str, record: dict, model_id: str) -> dict:
    """A request is one of this operation by the service model: its parameters, after the SDK has validated them and has
    written the same path and body from them."""
    model = SERVICE.operation_model(operation)
    parameters = _decoded(json.loads(body_of(record)), model.input_shape) | {"modelId": model_id}
    report = botocore.validate.ParamValidator().validate(parameters, model.input_shape)
    assert not report.has_errors(), report.generate_report()
    written = botocore.serialize.create_serializer("rest-json").serialize_to_request(parameters, model)
    assert record["target"] == written["url_path"]
    assert json.loads(body_of(record)) == json.loads(written["body"])
    return parameters


def _decoded(value: object, shape: botocore.model.Shape) -> object:
    """A JSON value as the SDK's parameters have it: blobs are bytes."""
    if shape.type_name == "blob":
        return base64.b64decode(value, validate=True)
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        # What the shape doesn't know stays for the validator to refuse.
        return {
            name: _decoded(one, shape.members[name]) if name in shape.members else one for name, one in value.items()
        }
    if shape.type_name == "list":
        return [_decoded(one, shape.member) for one in value]
    return value


def message(headers: dict[str, str], payload: dict) -> bytes:
    """One message of the event stream encoding, with these headers."""
    written = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(written) + len(body), len(written))
    start = prelude + struct.pack(">I", zlib.crc32(prelude)) + written + body
    return start + struct.pack(">I", zlib.crc32(start))


def exception(kind: str, text: str) -> bytes:
    """An exception within a stream."""
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return message(headers, {"message": text})
