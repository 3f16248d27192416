# SPDX-License-Identifier: Apache-2.0
"""What happens in the scheduler and in the API server: the next attempt is placed when the last one ends."""
