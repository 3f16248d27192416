# SPDX-License-Identifier: Apache-2.0
"""Google Cloud on a loopback address, as far as operators that launch work need it: the services' own messages."""
