#pragma once
// store/schema: the ordered list of migrations and the version check.

#include "store/internal/connection.h"

namespace sampan::store {

/// Brings the database to this program's version in one transaction.
/// Errors: InvalidArgument (a newer schema, another program's database), DataLoss.
Result<void> migrate(Connection& connection);

}  // namespace sampan::store
