"""What RocksDB may hold in memory for the tables of a worker: one block cache for all of them."""

from functools import cache
from typing import Any

from faust.stores.rocksdb import RocksDBOptions
from rocksdict import BlockBasedIndexType, BlockBasedOptions, Cache


@cache
def block_cache(capacity_bytes: int) -> Cache:
    """The process's block cache.

    A worker has some eighty databases (a table's partition is one); a cache for each would grow for hours until every
    one of them is full. RocksDB's caches may be shared: https://github.com/facebook/rocksdb/wiki/Block-Cache
    """
    return Cache(capacity_bytes)


class SharedCacheOptions(RocksDBOptions):
    """Faust's options with `block_cache` instead of one more cache for each database."""

    def as_options(self) -> Any:
        """Options of rocksdict."""
        options = super().as_options()
        tables = BlockBasedOptions()
        tables.set_bloom_filter(self.bloom_filter_size, block_based=True)
        tables.set_block_cache(block_cache(self.block_cache_size))
        tables.set_index_type(BlockBasedIndexType.binary_search())
        options.set_block_based_table_factory(tables)
        return options
