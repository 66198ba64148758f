"""Puts an archive into an S3 server, and compares results there with results on a disk, in the eyes of other programs.

    python object_storage.py upload data/digits
    python object_storage.py compare results
"""

import concurrent.futures
import importlib.resources
import os
import pathlib
import sys

import boto3
import duckdb
import polars
import polars.testing
import pyarrow.dataset
import pyarrow.fs
from botocore.config import Config

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
BUCKET, PREFIX = "results", "digits"

s3 = boto3.client("s3", config=Config(retries={"max_attempts": 20}))


def upload(folder):
    for bucket in ("archive", BUCKET):
        s3.create_bucket(Bucket=bucket)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda path: s3.upload_file(path, "archive", f"digits/{path.name}"), folder.glob("*.safetensors")))


def compare(folder):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{PREFIX}/")
    # Each process tells in a file of its own how long it took.
    names = {found["Key"].removeprefix(f"{PREFIX}/") for page in pages for found in page["Contents"]}
    needed = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    names, needed = (sorted(name for name in all if not name.startswith("metrics/")) for all in (names, needed))
    assert names == needed, sorted(set(names) ^ set(needed))
    for name in names:
        found = s3.get_object(Bucket=BUCKET, Key=f"{PREFIX}/{name}")["Body"].read()
        assert found == (folder / name).read_bytes(), f"{name} has other bytes"
    options = {
        "aws_endpoint_url": ENDPOINT,
        "aws_allow_http": "true",
        "aws_region": "us-east-1",
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
    }
    files = pyarrow.fs.S3FileSystem(
        access_key="test", secret_key="test", region="us-east-1", scheme="http", endpoint_override=ENDPOINT.split("//")[1]
    )
    # As `INSTALL httpfs` would have it, from the package index of Python.
    extension = next(importlib.resources.files("duckdb_extension_httpfs").glob("extensions/*/httpfs.duckdb_extension"))
    duck = duckdb.connect()
    duck.sql(f"LOAD '{extension}'")
    duck.sql(
        "CREATE SECRET (TYPE s3, KEY_ID 'test', SECRET 'test', REGION 'us-east-1', URL_STYLE 'path', USE_SSL false, "
        f"ENDPOINT '{ENDPOINT.split('//')[1]}')"
    )
    for table in sorted(path.stem for path in (folder / "tables").iterdir()):
        there = f"{BUCKET}/{PREFIX}"
        expected = polars.read_parquet(folder / f"tables/{table}.parquet")
        found = polars.scan_parquet(f"s3://{there}/tables/{table}.parquet", storage_options=options).collect()
        polars.testing.assert_frame_equal(found, expected)
        found = polars.from_arrow(pyarrow.dataset.dataset(f"{there}/tables/{table}.parquet", filesystem=files).to_table())
        polars.testing.assert_frame_equal(found, expected)
        found = duck.sql(f"FROM 's3://{there}/tables/{table}.parquet'").pl()
        polars.testing.assert_frame_equal(found, expected)
        if "step" in expected.columns and (folder / f"data/{table}/step=0").is_dir():
            glob = f"s3://{there}/data/{table}/**/*.parquet"
            found = polars.scan_parquet(glob, storage_options=options, hive_partitioning=True).collect()
            polars.testing.assert_frame_equal(found.select(expected.columns).sort("step", maintain_order=True), expected)
            count = duck.sql(f"SELECT count(*) FROM read_parquet('{glob}', hive_partitioning = true)").fetchone()
            assert count == (expected.height,), (table, count)
    print(f"{len(names)} objects have the bytes of the files; polars, pyarrow and DuckDB read the same tables")


command, argument = sys.argv[1:]
{"upload": upload, "compare": compare}[command](pathlib.Path(argument))
