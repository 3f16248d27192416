# SPDX-License-Identifier: Apache-2.0
"""Scripts that measures run in processes of their own. Each prints one line of JSON at its end."""
