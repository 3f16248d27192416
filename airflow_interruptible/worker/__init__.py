# SPDX-License-Identifier: Apache-2.0
"""What happens in the task's own process: the attempt, the signal that ends it, and its entry in the ledger."""
