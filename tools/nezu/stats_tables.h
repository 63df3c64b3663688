// Statistics as tables; what `stats` prints and `top` refreshes.
#pragma once

#include "nezu/v1/state.pb.h"
#include "tools/nezu/table.h"

namespace nezu::cli {

Table services_table(const v1::Statistics& statistics);
Table servers_table(const v1::Statistics& statistics);
Table workers_table(const v1::Statistics& statistics);
Table ports_table(const v1::Statistics& statistics);
Table drops_table(const v1::Statistics& statistics);
Table source_nats_table(const v1::Statistics& statistics);
Table bridges_table(const v1::Statistics& statistics);

}  // namespace nezu::cli
