# SPDX-License-Identifier: Apache-2.0
"""What the API server serves: pages without data, and the JSON API that they read."""
